"""The map as each person may see it."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from common.errors import NotFound
from grids.people.models import Member
from grids.people.queries import captain_data, captains_of, towns_of
from grids.places.models import Cell, CellShape, Community
from grids.places.queries import published_shapes


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


def groups_under(community: Community) -> list[Cell]:
    """Return the chat groups of a community and all below it."""
    cells = Cell.objects.filter(
        kind=Cell.Kind.VIRTUAL, retired_at=None, community__path__startswith=community.path
    )
    return list(cells.select_related("community").order_by("community__path", "code"))


def cell_rows(shapes: Iterable[CellShape], others: Iterable[Cell] = ()) -> list[dict[str, Any]]:
    """Return the properties of cells; captains looked up at once."""
    rows: list[tuple[Cell, CellShape | None]] = [(shape.cell, shape) for shape in shapes]
    rows += [(cell, None) for cell in others]
    captains = captains_of([cell for cell, _ in rows])
    return [_properties(cell, shape, captains.get(cell.pk)) for cell, shape in rows]


def _properties(cell: Cell, shape: CellShape | None, captain: Member | None) -> dict[str, Any]:
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
    return properties


def feature_text(properties: dict[str, Any], border: str | None) -> str:
    """Write one GeoJSON feature; `border` is its geometry, written already."""
    said = json.dumps(properties, ensure_ascii=False, separators=(",", ":"))
    head = f'{{"type":"Feature","id":{properties["id"]},"geometry":{border or "null"}'
    return f'{head},"properties":{said}}}'


def collection_text(features: Iterable[str]) -> str:
    """Write a FeatureCollection."""
    return f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}'
