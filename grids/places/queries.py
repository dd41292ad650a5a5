"""Reading the map: subtrees, published shapes, and which cells are neighbours."""

from collections.abc import Iterable, Sequence

from django.db.models import Q, QuerySet
from shapely import STRtree, from_wkb

from grids.places.geojson import BorderRow
from grids.places.models import CellPlan, CellShape, Community

# About 30 m: borders that were simplified apart still count as shared.
_TOUCH_DEGREES = 0.0003


def subtree(community: Community) -> QuerySet[Community]:
    """Return `community` and everything under it."""
    return Community.objects.filter(path__startswith=community.path)


def tree_of(community: Community) -> QuerySet[Community]:
    """Return the whole tree that `community` is in, from its root (the district)."""
    root = community.path.split("/")[1]
    return Community.objects.filter(path__startswith=f"/{root}/")


def published_shapes(communities: Iterable[Community] | None = None) -> QuerySet[CellShape]:
    """Return the shapes of the published plans, with their cell and community."""
    shapes = CellShape.objects.filter(plan__state=CellPlan.State.PUBLISHED)
    if communities is not None:
        shapes = shapes.filter(plan__community__in=communities)
    return shapes.filter(cell__retired_at=None).select_related("cell__community").order_by("cell")


def neighbouring_cells(communities: Iterable[Community] | None = None) -> dict[int, set[int]]:
    """Map each cell id to the ids of the cells it shares a border with."""
    rows = list(published_shapes(communities).values_list("cell_id", "geometry"))
    shapes = [from_wkb(bytes(geometry)) for _, geometry in rows]
    found: dict[int, set[int]] = {cell: set() for cell, _ in rows}
    if not shapes:
        return found
    tree = STRtree(shapes)
    left, right = tree.query(shapes, predicate="dwithin", distance=_TOUCH_DEGREES)
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        if a != b:
            found[rows[a][0]].add(rows[b][0])
    return found


def under(communities: Iterable[Community], field: str = "community") -> Q:
    """Filter rows whose `field` lies in the subtree of any of `communities`."""
    condition = Q(pk__in=[])
    for community in communities:
        condition |= Q(**{f"{field}__path__startswith": community.path})
    return condition


def communities_named(community: Community, rows: Sequence[BorderRow]) -> list[Community | None]:
    """Return whose border each row is: a code, else a name that only one has, under `community`.

    A lone row that names nobody is `community`'s own.
    """
    below = list(subtree(community))
    by_code = {one.code: one for one in below}
    names: dict[str, list[Community]] = {}
    for one in below:
        names.setdefault(one.name, []).append(one)
    by_name = {name: held[0] for name, held in names.items() if len(held) == 1}
    found = [
        by_code.get(row.source_id) or by_name.get(row.source_id) or by_name.get(row.name)
        for row in rows
    ]
    return [community] if found == [None] else found
