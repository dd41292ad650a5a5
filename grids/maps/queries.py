"""The map as each person may see it."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from shapely import from_wkb, set_precision
from shapely.geometry import mapping

from common.errors import NotFound
from grids.people.models import Member
from grids.people.queries import captain_data, captains_of, towns_of
from grids.places.models import Cell, CellShape, Community
from grids.places.queries import published_shapes

_MICRODEGREE = 1e-6


def communities_visible_to(actor: Member | AnonymousUser) -> QuerySet[Community]:
    """Return the whole towns (trees) that the actor lives or holds a role in."""
    return towns_of(actor)


def community_visible_to(actor: Member | AnonymousUser, **lookup: Any) -> Community:
    """Return one visible community or raise NotFound."""
    # PostgreSQL refuses to look for a NUL byte, which an address may carry.
    if any("\x00" in str(value) for value in lookup.values()):
        raise NotFound
    found = communities_visible_to(actor).filter(**lookup).first()
    if found is None:
        raise NotFound
    return found


def shapes_under(community: Community) -> QuerySet[CellShape]:
    """Return the published shapes of a community and all below it."""
    return published_shapes(Community.objects.filter(path__startswith=community.path))


def cell_features(
    shapes: Iterable[CellShape], virtual: Iterable[Cell] = ()
) -> list[dict[str, Any]]:
    """Build GeoJSON features; coordinates to about 10 cm, captains looked up at once."""
    rows: list[tuple[Cell, CellShape | None]] = [(shape.cell, shape) for shape in shapes]
    rows += [(cell, None) for cell in virtual]
    captains = captains_of([cell for cell, _ in rows])
    return [_feature(cell, shape, captains.get(cell.pk)) for cell, shape in rows]


def _feature(cell: Cell, shape: CellShape | None, captain: Member | None) -> dict[str, Any]:
    geometry = None
    if shape is not None:
        rounded = set_precision(from_wkb(bytes(shape.geometry)), _MICRODEGREE)
        geometry = mapping(rounded)
    properties = {
        "id": cell.pk,
        "code": cell.code,
        "name": cell.name or cell.code,
        "kind": cell.kind,
        "community": cell.community_id,
        "households": shape.households if shape is not None else None,
        "captain": captain_data(captain),
    }
    if cell.kind == Cell.Kind.VIRTUAL:
        properties["members"] = cell.group_size
    return {"type": "Feature", "id": cell.pk, "geometry": geometry, "properties": properties}


def collection(features: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Wrap features as a FeatureCollection."""
    return {"type": "FeatureCollection", "features": list(features)}
