"""python -m bench.seed '{"claims": 300, …}': fill an empty database, print what to send as JSON.

One community with ten cells; claims, races and check-ins have members of their own, so that
none meets a refusal but the one that the race is about.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

CELLS = 10
# How many people share the claims and the check-ins; a race has its own crowd.
CROWD = 150
SEATS = 3
# Past duties, one every two hours: up to 60 h old, so that no upload counts as late.
SLOTS = 30
WATCH = timedelta(minutes=90)


@dataclass
class Wanted:
    """How many of each will be sent."""

    claims: int
    races: int
    racers: int
    checkins: int
    watchers: int


@dataclass
class Duty:
    """A seat that somebody has: who, where and when to check in."""

    token: str
    seat: int
    lat: float
    lon: float
    in_at: str
    out_at: str


@dataclass
class Plan:
    """What can be sent. `claims`: (token, shift), neighbours in the list on different shifts."""

    community: int
    captain: str
    watchers: list[str]
    claims: list[tuple[str, int]]
    races: list[int]
    racers: list[str]
    checkins: list[Duty]


def fill(wanted: Wanted, now: datetime) -> Plan:
    """Write the community and everybody in it, in bulk."""
    from shapely import box, to_wkb

    from grids.people.models import Role
    from grids.places.models import Cell, CellPlan, CellShape, Community
    from timebank.earning.models import RuleLine, RuleVersion

    community = Community.objects.create(code="bench", name="河东社区", auto_approve_hours=True)
    community.path = f"/{community.pk}/"
    community.save(update_fields=["path"])
    plan = CellPlan.objects.create(
        community=community, state="published", created_at=now, published_at=now
    )
    cells = Cell.objects.bulk_create(
        Cell(community=community, code=f"G{n:03d}") for n in range(CELLS)
    )
    CellShape.objects.bulk_create(
        CellShape(
            plan=plan,
            cell=cell,
            geometry=to_wkb(box(122.4 + n / 100, 37.15, 122.41 + n / 100, 37.16)),
            households=400,
        )
        for n, cell in enumerate(cells)
    )
    version = RuleVersion.objects.create(
        community=community, number=1, starts_on=date(2020, 1, 1), created_at=now
    )
    RuleLine.objects.create(version=version, per_hour=50)
    captain, *watchers = _members(community, "watch", 1 + wanted.watchers, now)
    Role.objects.create(
        member=captain[0], kind="captain", community=community, starts_on=date(2020, 1, 1)
    )
    return Plan(
        community=community.pk,
        captain=captain[1],
        watchers=[token for _, token in watchers],
        claims=_claims(community, cells, wanted.claims, now),
        races=_races(community, cells, wanted.races, now),
        racers=[token for _, token in _members(community, "race", wanted.racers, now)],
        checkins=_checkins(community, cells, wanted.checkins, now),
    )


def _members(community: Any, name: str, count: int, now: datetime) -> list[tuple[Any, str]]:
    from grids.people.backends import token_digest
    from grids.people.models import ApiToken, Member

    people = Member.objects.bulk_create(
        Member(community=community, display_name=f"{name} {n}", joined_at=now) for n in range(count)
    )
    ApiToken.objects.bulk_create(
        ApiToken(member=member, digest=token_digest(f"bench-{name}-{n}"), created_at=now)
        for n, member in enumerate(people)
    )
    return [(member, f"bench-{name}-{n}") for n, member in enumerate(people)]


def _shifts(community: Any, cells: list[Any], starts: list[datetime]) -> list[Any]:
    from patrols.shifts.models import Seat, Shift

    shifts = Shift.objects.bulk_create(
        (
            Shift(
                community=community,
                cell=cells[n % len(cells)],
                kind="patrol",
                category="patrol",
                title="夜间巡逻",
                seats_total=SEATS,
                open_seats=SEATS,
                starts_at=start,
                ends_at=start + WATCH,
                local_date=(start + timedelta(hours=8)).date(),
                meeting_code="AB12CD",
            )
            for n, start in enumerate(starts)
        ),
        batch_size=500,
    )
    Seat.objects.bulk_create(
        (
            Seat(shift=shift, index=i + 1, starts_at=shift.starts_at, ends_at=shift.ends_at)
            for shift in shifts
            for i in range(SEATS)
        ),
        batch_size=500,
    )
    return shifts


def _evening(now: datetime, days: int) -> datetime:
    return now.replace(hour=11, minute=30, second=0, microsecond=0) + timedelta(days=days)


def _claims(community: Any, cells: list[Any], count: int, now: datetime) -> list[tuple[str, int]]:
    """Everybody claims one seat each evening, next to nobody who claims the same shift."""
    people = [token for _, token in _members(community, "claim", CROWD, now)]
    a_night = CROWD // SEATS
    nights = -(-count // CROWD)
    shifts = _shifts(
        community,
        cells,
        [_evening(now, 2 + night) for night in range(nights) for _ in range(a_night)],
    )
    pairs = [
        (people[which * SEATS + place], shifts[night * a_night + which].pk)
        for night in range(nights)
        for place in range(SEATS)
        for which in range(a_night)
    ]
    return pairs[:count]


def _races(community: Any, cells: list[Any], count: int, now: datetime) -> list[int]:
    shifts = _shifts(community, cells, [_evening(now, 2 + day) for day in range(count)])
    return [shift.pk for shift in shifts]


def _checkins(community: Any, cells: list[Any], count: int, now: datetime) -> list[Duty]:
    """Past duties whose seats are taken: everybody checks in once for each of theirs."""
    from patrols.shifts.models import Seat

    if count > CROWD * SLOTS:
        raise ValueError(f"at most {CROWD * SLOTS} check-ins can be prepared")
    people = _members(community, "come", CROWD, now)
    a_slot = CROWD // SEATS
    slots = -(-count // CROWD)
    starts = [now - timedelta(hours=2 * (slot + 1)) for slot in range(slots)]
    shifts = _shifts(community, cells, [start for start in starts for _ in range(a_slot)])
    number_of = {shift.pk: n for n, shift in enumerate(shifts)}
    seats = list(Seat.objects.filter(shift__in=number_of).order_by("index", "shift"))
    duties = []
    for seat in seats:
        number = number_of[seat.shift_id]
        who = (number % a_slot) * SEATS + seat.index - 1
        seat.member, token = people[who]
        seat.state, seat.taken_at = Seat.State.CLAIMED, now
        duties.append(
            Duty(
                token=token,
                seat=seat.pk,
                lat=37.155,
                lon=122.405 + (number % len(cells)) / 100,
                in_at=seat.starts_at.isoformat(),
                out_at=seat.ends_at.isoformat(),
            )
        )
    Seat.objects.bulk_update(seats, ["member", "state", "taken_at"], batch_size=200)
    for shift in shifts:
        shift.open_seats = 0
    type(shifts[0]).objects.bulk_update(shifts, ["open_seats"], batch_size=200)
    return duties[:count]


def main(argument: str) -> None:
    """Migrate and fill the database of DATABASE_URL."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(json.dumps(asdict(fill(Wanted(**json.loads(argument)), datetime.now(UTC)))))


if __name__ == "__main__":
    main(sys.argv[1])
