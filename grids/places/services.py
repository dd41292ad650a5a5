"""Changing the map: the community tree, imports. Plans are in `plans`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from shapely import to_wkb

from common.errors import BadInput
from common.unit_of_work import current
from grids.places import queries, rules
from grids.places.geojson import BorderRow, BuildingRow, StreetRow
from grids.places.models import Border, Building, Community, Street

_BATCH = 1000
Progress = Callable[[int], object]
T = TypeVar("T")


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
    rows: Iterable[BuildingRow],
    actor: Any,
    progress: Progress = lambda done: None,
) -> Imported:
    """Add or change buildings by source id, in the open unit of work: all or nothing.

    By an administrator of the community, or the system (None). Raises NotAllowed.
    """
    rules.require_may_change(actor, community)
    fields = [
        "name", "address", "street_name", "dwellings", "levels", "lat", "lon", "geometry",
    ]  # fmt: skip
    made = (_building(community, row) for row in rows)
    return _upsert(Building, community, made, fields, progress)


def _building(community: Community, row: BuildingRow) -> Building:
    middle = row.geometry.representative_point()
    return Building(
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


def import_streets(
    *,
    community: Community,
    rows: Iterable[StreetRow],
    actor: Any,
    progress: Progress = lambda done: None,
) -> Imported:
    """Add or change streets by source id, in the open unit of work: all or nothing.

    By an administrator of the community, or the system (None). Raises NotAllowed.
    """
    rules.require_may_change(actor, community)
    made = (
        Street(
            community=community,
            source_id=row.source_id,
            name=row.name,
            highway=row.highway,
            length_m=row.length_m,
            geometry=to_wkb(row.geometry),
        )
        for row in rows
    )
    return _upsert(Street, community, made, ["name", "highway", "length_m", "geometry"], progress)


def import_borders(
    *,
    community: Community,
    rows: Iterable[BorderRow],
    actor: Any,
    progress: Progress = lambda done: None,
) -> Imported:
    """Set the borders of `community` and those below it, in the open unit of work: all or nothing.

    `source_id` is the code or name of a community; a lone border without a known one is
    `community`'s own. By an administrator of the community, or the system (None). Raises
    NotAllowed, and BadInput where a border belongs to none.
    """
    rules.require_may_change(actor, community)
    listed = list(rows)
    found = queries.communities_named(community, listed)
    nobody = [row.source_id for row, whose in zip(listed, found, strict=True) if whose is None]
    if nobody:
        text = _("No community here has the code or name %(id)s.")
        raise BadInput({"file": [str(text) % {"id": name} for name in nobody[:20]]})
    given = {whose.pk: row for row, whose in zip(listed, found, strict=True) if whose is not None}
    known = Border.objects.filter(community__in=given).count()
    Border.objects.bulk_create(
        (Border(community_id=pk, geometry=to_wkb(row.geometry)) for pk, row in given.items()),
        update_conflicts=True,
        unique_fields=["community"],
        update_fields=["geometry"],
        batch_size=_BATCH,
    )
    progress(len(listed))
    result = Imported(added=len(given) - known, changed=known)
    current().audit(
        "border.imported", community, after={"added": result.added, "changed": result.changed}
    )
    return result


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut what comes into lists of a thousand, so that a million rows never stand in memory."""
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch


def _upsert(
    model: Any, community: Community, made: Iterable[Any], fields: list[str], progress: Progress
) -> Imported:
    total = changed = 0
    for batch in _batches(made):
        ids = [row.source_id for row in batch]
        changed += model.objects.filter(community=community, source_id__in=ids).count()
        model.objects.bulk_create(
            batch,
            update_conflicts=True,
            unique_fields=["community", "source_id"],
            update_fields=fields,
        )
        total += len(batch)
        progress(len(batch))
    Community.objects.filter(pk=community.pk).update(ground_version=F("ground_version") + 1)
    result = Imported(added=total - changed, changed=changed)
    current().audit(
        f"{model._meta.model_name}.imported",
        community,
        after={"added": result.added, "changed": result.changed},
    )
    return result
