"""The Rongcheng week: a made-up city of real size, the same for the same seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from patrols.rosters.problem import MemberSpec, Problem, SeatSpec, ShiftSpec, Window

FIRST_NIGHT = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)  # Monday 19:30 in Rongcheng
WATCH = timedelta(minutes=90)


def rongcheng_week(
    *,
    seed: int,
    cells: int = 157,
    nights: int = 7,
    team: int = 3,
    volunteers: int = 5_000,
    days_in_row: int | None = None,
) -> Problem:
    """Return a week of patrols: cells on a grid, people free 3 nights of 7, at most 2 a week."""
    rng = random.Random(seed)
    width = int(cells**0.5) + 1
    neighbours = {
        cell: frozenset(
            other
            for other in range(cells)
            if other != cell
            and abs(other % width - cell % width) <= 1
            and abs(other // width - cell // width) <= 1
        )
        for cell in range(cells)
    }
    shifts, seats = [], []
    windows = []
    for night in range(nights):
        start = FIRST_NIGHT + timedelta(days=night)
        windows.append(Window(start - timedelta(minutes=30), start + WATCH))
        for cell in range(cells):
            shift = night * cells + cell
            shifts.append(ShiftSpec(id=shift, least=2, wants_experienced=True))
            seats += [
                SeatSpec(
                    id=shift * team + place,
                    shift_id=shift,
                    starts_at=start,
                    ends_at=start + WATCH,
                    cell_id=cell,
                )
                for place in range(team)
            ]
    members = []
    for number in range(volunteers):
        home = rng.randrange(cells)
        members.append(
            MemberSpec(
                id=number,
                experienced=rng.random() < 0.3,
                home_cell=home,
                other_cells=neighbours[home],
                available=tuple(windows[n] for n in sorted(rng.sample(range(nights), 3))),
                most_shifts=2,
                most_days_in_row=days_in_row,
                past_load=rng.randint(0, 20),
            )
        )
    return Problem(seats=tuple(seats), shifts=tuple(shifts), members=tuple(members))
