"""Changing the map: the community tree, imports. Plans are in `plans`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from shapely import to_wkb

from common.errors import BadInput
from common.unit_of_work import current
from grids.places import rules
from grids.places.geojson import BuildingRow, StreetRow
from grids.places.models import Building, Community, Street

_BATCH = 1000
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Imported:
    """How many rows an import added and changed."""

    added: int
    changed: int


def create_community(
    *,
    code: str,
    name: str,
    now: datetime,
    parent: Community | None = None,
    level: str = Community.Level.COMMUNITY,
    zone: str = "Asia/Shanghai",
    **settings: Any,
) -> Community:
    """Add a node to the community tree; `zone` is an IANA name."""
    work = current()
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            {"zone": [str(_("Not an IANA time zone, such as Asia/Shanghai."))]}
        ) from error
    if Community.objects.filter(code=code).exists():
        raise BadInput({"code": [str(_("Another community has this code."))]})
    community = Community(code=code, name=name, parent=parent, level=level, zone=zone, **settings)
    community.save()
    place_in_tree(community)
    work.audit("community.created", community, after={"code": code, "name": name})
    return community


def place_in_tree(community: Community) -> None:
    """Write the path of a community that was just saved."""
    above = community.parent.path if community.parent else "/"
    community.path = f"{above}{community.pk}/"
    community.save(update_fields=["path"])


def import_buildings(
    *,
    community: Community,
    rows: Sequence[BuildingRow],
    actor: Any,
    progress: Progress = lambda done: None,
) -> Imported:
    """Add or change buildings by source id, in the open unit of work: all or nothing.

    By an administrator of the community, or the system (None). Raises NotAllowed.
    """
    rules.require_may_change(actor, community)
    made = []
    for row in rows:
        middle = row.geometry.representative_point()
        made.append(
            Building(
                community=community,
                source_id=row.source_id,
                name=row.name,
                address=row.address,
                street_name=row.street_name,
                dwellings=row.dwellings,
                levels=row.levels,
                lat=middle.y,
                lon=middle.x,
                geometry=to_wkb(row.geometry),
            )
        )
    fields = [
        "name", "address", "street_name", "dwellings", "levels", "lat", "lon", "geometry",
    ]  # fmt: skip
    return _upsert(Building, community, made, fields, progress)


def import_streets(
    *,
    community: Community,
    rows: Sequence[StreetRow],
    actor: Any,
    progress: Progress = lambda done: None,
) -> Imported:
    """Add or change streets by source id, in the open unit of work: all or nothing.

    By an administrator of the community, or the system (None). Raises NotAllowed.
    """
    rules.require_may_change(actor, community)
    made = [
        Street(
            community=community,
            source_id=row.source_id,
            name=row.name,
            highway=row.highway,
            length_m=row.length_m,
            geometry=to_wkb(row.geometry),
        )
        for row in rows
    ]
    return _upsert(Street, community, made, ["name", "highway", "length_m", "geometry"], progress)


def _upsert(
    model: Any, community: Community, made: Sequence[Any], fields: list[str], progress: Progress
) -> Imported:
    known = set(model.objects.filter(community=community).values_list("source_id", flat=True))
    for start in range(0, len(made), _BATCH):
        batch = made[start : start + _BATCH]
        model.objects.bulk_create(
            batch,
            update_conflicts=True,
            unique_fields=["community", "source_id"],
            update_fields=fields,
        )
        progress(len(batch))
    Community.objects.filter(pk=community.pk).update(ground_version=F("ground_version") + 1)
    changed = sum(row.source_id in known for row in made)
    result = Imported(added=len(made) - changed, changed=changed)
    current().audit(
        f"{model._meta.model_name}.imported",
        community,
        after={"added": result.added, "changed": result.changed},
    )
    return result
