"""A town whose first cell has streets, a patrol's meeting point, and a route."""

from datetime import date, time, timedelta
from typing import Any

from shapely import LineString, to_wkb

from grids.places.models import Street
from patrols.checkins.models import CheckIn
from patrols.routes import jobs
from patrols.shifts.models import Activity, Seat
from tests.factories import NOW, ShiftFactory, Town, a_community, take

WEST, SOUTH, EAST, NORTH = 122.411, 37.151, 122.418, 37.158


def add_street(town: Town, name: str, *points: tuple[float, float], **more: Any) -> Street:
    return Street.objects.create(
        community=town.community,
        source_id=more.pop("source_id", name),
        name=name,
        geometry=to_wkb(LineString(points)),
        **{"highway": "residential", **more},
    )


def a_town_with_streets(*, minutes: int = 90) -> Town:
    """Four streets around a block of some 620 by 780 m, and two across, in the first cell."""
    town = a_community()
    middle = (WEST + EAST) / 2
    add_street(town, "南街", (WEST, SOUTH), (EAST, SOUTH))
    add_street(town, "北街", (WEST, NORTH), (EAST, NORTH))
    add_street(town, "西巷", (WEST, SOUTH), (WEST, NORTH))
    add_street(town, "东巷", (EAST, SOUTH), (EAST, NORTH))
    add_street(town, "中路", (middle, SOUTH), (middle, NORTH))
    add_street(town, "", (middle, 37.1545), (EAST, 37.1545), source_id="lane")
    Activity.objects.create(
        community=town.community,
        cell=town.cells[0],
        kind="patrol",
        category="patrol",
        title="夜间巡逻",
        starts_on=date(2026, 5, 1),
        starts_local=time(19),
        duration_minutes=minutes,
        meeting_name="社区门口",
        meeting_lat=SOUTH,
        meeting_lon=WEST,
    )
    return town


def a_town_with_a_route(*, minutes: int = 90) -> Town:
    town = a_town_with_streets(minutes=minutes)
    jobs.refresh_routes(NOW)
    return town


def a_patrol(town: Town, *, days: int = 0, member: Any = None, **more: Any) -> Seat:
    """A patrol of the first cell, `days` from NOW's evening, with somebody on its first seat."""
    shift = ShiftFactory(
        community=town.community,
        cell=town.cells[0],
        starts_at=NOW + timedelta(hours=1, days=days),
        **more,
    )
    return take(shift.seats.get(index=1), member or town.volunteers[0])


def came(seat: Seat, *, verdict: str = "accepted", kind: str = "in", after: int = 0) -> CheckIn:
    """The holder's check-in, `after` minutes from the start."""
    at = seat.starts_at + timedelta(minutes=after)
    return CheckIn.objects.create(
        seat=seat,
        member=seat.member,
        kind=kind,
        occurred_at=at,
        received_at=at,
        method="code",
        verdict=verdict,
    )
