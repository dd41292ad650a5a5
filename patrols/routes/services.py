"""Store routes, count what was walked, take tracks in and forget them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from shapely.geometry import LineString

from common.errors import DomainError
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from grids.people.queries import has_consent
from grids.places.models import Cell, CellPlan
from grids.zoning.plane import Plane
from patrols.checkins.queries import checkins_of_seat, seat_visible_to
from patrols.checkins.services import NotYourSeat
from patrols.routes import queries
from patrols.routes.drawing import Drawn
from patrols.routes.matching import Fix, walked
from patrols.routes.models import CellRoute, CellStretch, TrackBatch, Walk
from patrols.shifts.models import Shift

PURPOSE = "track"
MOST_POINTS = 500
# A phone's clock may run this much ahead.
_AHEAD = timedelta(minutes=5)


class TracksOff(DomainError):
    """The member has not switched tracks on."""

    code = "tracks_off"
    status = 403
    detail = _("You have not switched tracks on. You can do so under About me.")


class NotOnDuty(DomainError):
    """No point lies between the member's check-in and check-out."""

    code = "not_on_duty"
    detail = _("A track is only kept from your check-in to your check-out.")


class NoRoute(DomainError):
    """The shift walks no cell's streets."""

    code = "no_route"
    detail = _("This shift has no walking route.")


@dataclass(frozen=True)
class Point:
    """A position as the phone noted it."""

    at: datetime
    lat: float
    lon: float
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Taken:
    """What came of a batch: points kept, points that lie outside the duty."""

    batch: TrackBatch
    kept: int
    left_out: int


def store_route(*, drawn: Drawn, now: datetime) -> CellRoute | None:
    """Keep a cell's new route; None where its plan is no longer the published one."""
    current()
    shape = drawn.shape
    lock(Cell.objects.all(), [shape.cell_id])
    plan = CellPlan.objects.filter(pk=shape.plan_id, state=CellPlan.State.PUBLISHED).first()
    if plan is None:
        return None
    route, _made = CellRoute.objects.update_or_create(
        cell_id=shape.cell_id,
        plan=plan,
        defaults={**drawn.fields, "fingerprint": drawn.fingerprint, "computed_at": now},
    )
    _keep_stretches(shape.cell, drawn.fields["stretches"], now)
    return route


def _keep_stretches(cell: Cell, stretches: Sequence[dict[str, Any]], now: datetime) -> None:
    """Make the cell's own stretches those of its route; what is known of each stays."""
    today = now.astimezone(ZoneInfo(cell.community.zone)).date()
    own = {one["key"]: one for one in stretches if one["own"]}
    known = {row.key: row for row in CellStretch.objects.filter(cell=cell)}
    changed = []
    for key, row in known.items():
        one = own.get(key)
        if row.current != (one is not None) or (one and row.name != one["name"]):
            row.current = one is not None
            row.name = one["name"] if one else row.name
            changed.append(row)
    CellStretch.objects.bulk_update(changed, ["current", "name"])
    CellStretch.objects.bulk_create(
        CellStretch(
            cell=cell,
            key=key,
            street=one["street"][:80],
            name=one["name"],
            metres=one["metres"],
            since=today,
        )
        for key, one in own.items()
        if key not in known
    )


def count_walk(*, shift_id: int) -> Walk | None:
    """Count the streets of a patrol that took place as walked; None where it was done before."""
    current()
    shift = lock(Shift.objects.all(), [shift_id])[shift_id]
    found = queries.tonight(shift)
    if found is None or Walk.objects.filter(shift=shift, source=Walk.Source.PLANNED).exists():
        return None
    keys = sorted({key for way in found.ways for key in way.keys})
    return _walked(shift, Walk.Source.PLANNED, keys)


def _walked(shift: Shift, source: str, keys: list[str]) -> Walk:
    """Add stretches to what a shift walked, and note the day on each."""
    assert shift.cell_id is not None
    walk, made = Walk.objects.get_or_create(
        shift=shift,
        source=source,
        defaults={"cell_id": shift.cell_id, "walked_on": shift.local_date, "keys": keys},
    )
    if not made and set(keys) - set(walk.keys):
        walk.keys = sorted({*walk.keys, *keys})
        walk.save(update_fields=["keys"])
    column = "planned_on" if source == Walk.Source.PLANNED else "tracked_on"
    rows = CellStretch.objects.filter(cell=shift.cell_id, key__in=keys)
    rows.filter(**{f"{column}__isnull": True}).update(**{column: shift.local_date})
    rows.filter(**{f"{column}__lt": shift.local_date}).update(**{column: shift.local_date})
    return walk


def take_track(*, actor: Member, seat_id: int, points: Sequence[Point], now: datetime) -> Taken:
    """Keep the points of a track that lie within the actor's duty, and note the streets walked.

    Judged by the points' own times, so a batch may come when the net is back; points outside the
    duty are left out, and a batch of nothing else is refused. Raises NotFound, NotYourSeat,
    TracksOff, NoRoute, NotOnDuty.
    """
    current()
    seen = seat_visible_to(actor, seat_id)
    if seen.member_id != actor.pk:
        raise NotYourSeat
    # In the written order; under the member's lock the consent can't be withdrawn beside us.
    member = lock(Member.objects.all(), [actor.pk])[actor.pk]
    if not has_consent(member, PURPOSE):
        raise TracksOff
    shift = lock(Shift.objects.all(), [seen.shift_id])[seen.shift_id]
    if not queries.has_route(shift):
        raise NoRoute
    done = checkins_of_seat(seen, member)
    if "in" not in done or now - keep_time() > shift.ends_at:
        raise NotOnDuty
    start = max(done["in"].occurred_at, shift.starts_at - timedelta(minutes=shift.early_minutes))
    end = min(done["out"].occurred_at if "out" in done else shift.ends_at, shift.ends_at)
    inside = [point for point in points if start <= point.at <= min(end, now + _AHEAD)]
    if not inside:
        raise NotOnDuty
    batch = TrackBatch.objects.create(
        seat=seen,
        member=member,
        received_at=now,
        points=[[point.at.timestamp(), point.lat, point.lon, point.accuracy_m] for point in inside],
    )
    keys = _matched(shift, queries.tracks_of(member, seen.pk))
    if keys:
        _walked(shift, Walk.Source.TRACKED, keys)
    # No positions in the audit trail, which is kept.
    current().audit("track.taken", batch, after={"seat": seen.pk, "points": len(inside)})
    return Taken(batch, len(inside), len(points) - len(inside))


def _matched(shift: Shift, points: list[list[Any]]) -> list[str]:
    """Return the keys of the cell's stretches that a track has walked."""
    route = queries.route_of_cell(shift.cell_id) if shift.cell_id is not None else None
    if route is None:
        return []
    own = [one for one in route.stretches if one["own"] and len(one["line"]) > 1]
    plane = Plane(route.meeting_lon, route.meeting_lat)
    lines = [LineString(plane.metres(np.array(one["line"]))) for one in own]
    places = plane.metres(np.array([[point[2], point[1]] for point in points]))
    fixes = [
        Fix(point[0], float(x), float(y), point[3])
        for point, (x, y) in zip(points, places.tolist(), strict=True)
    ]
    return sorted(own[number]["key"] for number in walked(lines, fixes))


def keep_time() -> timedelta:
    """Return how long tracks are kept (LINLI_TRACK_KEEP_DAYS)."""
    return timedelta(days=settings.TRACK_KEEP_DAYS)


def forget_tracks(*, now: datetime) -> int:
    """Erase tracks older than promised, and those of members who no longer agree."""
    current()
    old = TrackBatch.objects.filter(received_at__lt=now - keep_time())
    count = old.delete()[0]
    holders = TrackBatch.objects.values_list("member", flat=True).distinct().order_by()
    for member in Member.objects.filter(pk__in=list(holders)):
        if not has_consent(member, PURPOSE):
            count += TrackBatch.objects.filter(member=member).delete()[0]
    return count


def erase_tracks_of(member: Member, now: datetime) -> None:
    """Forget every track of a member (part of erasure)."""
    current()
    TrackBatch.objects.filter(member=member).delete()
