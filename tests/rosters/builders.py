"""Small rosters for tests, told in nights and places."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from patrols.rosters.problem import MemberSpec, Problem, SeatSpec, ShiftSpec, Weights, Window

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(*, night: int = 0, hour: float = 12, minutes: int = 90) -> Window:
    """A window of `minutes` on a night (0 is Monday), `hour` in UTC."""
    start = MONDAY + timedelta(days=night, hours=hour)
    return Window(start, start + timedelta(minutes=minutes))


ALWAYS = (Window(MONDAY - timedelta(days=5), MONDAY + timedelta(days=20)),)


def shift(
    shift_id: int, *, when: Window, places: int = 1, first_seat: int | None = None, **more: Any
) -> list[SeatSpec]:
    """The seats of one shift: numbered from ten times its id."""
    first = shift_id * 10 if first_seat is None else first_seat
    return [
        SeatSpec(
            id=first + place,
            shift_id=shift_id,
            starts_at=when.starts_at,
            ends_at=when.ends_at,
            **more,
        )
        for place in range(places)
    ]


def member(member_id: int, **more: Any) -> MemberSpec:
    """A member who always has time."""
    return MemberSpec(id=member_id, **{"available": ALWAYS, **more})


def problem(
    seats: list[SeatSpec],
    members: list[MemberSpec],
    *,
    shifts: list[ShiftSpec] | None = None,
    weights: Weights | None = None,
) -> Problem:
    """A problem; shifts not described are plain."""
    described = {one.id: one for one in shifts or []}
    ids = sorted({seat.shift_id for seat in seats} | set(described))
    return Problem(
        seats=tuple(seats),
        shifts=tuple(described.get(one, ShiftSpec(id=one)) for one in ids),
        members=tuple(members),
        weights=weights or Weights(),
        zone="UTC",
    )


def random_problem(seed: int, *, shifts: int, people: int) -> Problem:
    """A small problem in which every rule and price may bind."""
    rng = random.Random(seed)
    seats: list[SeatSpec] = []
    specs = []
    for one in range(shifts):
        when = at(
            night=rng.randrange(4),
            hour=rng.choice([8, 9, 12, 22]),
            minutes=rng.choice([60, 90, 180]),
        )
        cell = rng.choice([None, 1, 2, 3])
        places = rng.choice([1, 1, 2])
        specs.append(ShiftSpec(one, least=rng.randint(0, 2), wants_experienced=rng.random() < 0.5))
        for place in range(places):
            locked = rng.randrange(people) if place == 0 and rng.random() < 0.1 else None
            seats += shift(
                one,
                when=when,
                first_seat=one * 10 + place,
                cell_id=cell,
                skills=frozenset(rng.sample(["first_aid", "driver"], rng.choice([0, 0, 1]))),
                locked=locked,
                weight=rng.choice([1, 1, 2]),
            )
    members = [
        member(
            who,
            skills=frozenset(s for s in ("first_aid", "driver") if rng.random() < 0.6),
            experienced=rng.random() < 0.4,
            home_cell=rng.choice([None, 1, 2, 3]),
            other_cells=frozenset(rng.sample([1, 2, 3], 2)),
            available=rng.choice(
                [ALWAYS, tuple(at(night=n, hour=0, minutes=1440) for n in rng.sample(range(5), 3))]
            ),
            busy=tuple(
                at(night=rng.randrange(-1, 5), hour=15) for _ in range(rng.choice([0, 0, 1]))
            ),
            wishes={one: rng.randint(-3, 3) for one in range(shifts) if rng.random() < 0.4},
            least_minutes=rng.choice([0, 0, 150]),
            most_minutes=rng.choice([None, 120, 270]),
            most_shifts=rng.choice([None, 1, 2, 3]),
            least_rest_minutes=rng.choice([0, 60, 660]),
            most_days_in_row=rng.choice([None, 1, 2]),
            past_load=rng.choice([0, 2, 3.5, 10]),
            together=frozenset(rng.sample(range(people), rng.choice([0, 1]))) - {who},
            apart=frozenset(rng.sample(range(people), rng.choice([0, 0, 1]))) - {who},
        )
        for who in range(people)
    ]
    weights = rng.choice(
        [Weights(), Weights(100, 50, 70, 20, 33, 1, 5, 2), Weights(load=40, wish=5)]
    )
    return problem(seats, members, shifts=specs, weights=weights)
