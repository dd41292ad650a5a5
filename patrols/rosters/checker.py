"""Checks a plan against its problem, from the description alone.

Written apart from the solver on purpose: it shares no model, index or helper with it, and
prefers the plainest reading of each rule over speed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

from patrols.rosters.problem import MemberSpec, Problem, SeatSpec


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken hard rule; `seats` are those that break it together."""

    rule: str
    seats: tuple[int, ...]
    member: int | None
    detail: str


def check(problem: Problem, plan: dict[int, int]) -> list[Violation]:
    """Return every hard rule that `plan` (seat → member) breaks; an empty list means valid.

    Locked seats are the captain's word: a rule broken by locked seats alone is not reported.
    """
    seats = {seat.id: seat for seat in problem.seats}
    members = {member.id: member for member in problem.members}
    found: list[Violation] = []
    held: dict[int, list[SeatSpec]] = defaultdict(list)
    teams: dict[int, list[SeatSpec]] = defaultdict(list)
    for seat_id, member_id in plan.items():
        if seat_id not in seats or member_id not in members:
            found.append(Violation("unknown", (seat_id,), member_id, "no such seat or member"))
            continue
        held[member_id].append(seats[seat_id])
        teams[seats[seat_id].shift_id].append(seats[seat_id])
    found += [
        Violation("locked", (seat.id,), seat.locked, "locked seat not kept")
        for seat in problem.seats
        if seat.locked is not None and plan.get(seat.id) != seat.locked
    ]
    for member_id, own in held.items():
        member = members[member_id]
        for seat in own:
            if seat.locked is None:
                found += _check_seat(member, seat)
        found += _check_person(member, own, ZoneInfo(problem.zone))
    for team in teams.values():
        found += _check_team(members, team, plan)
    return found


def _check_seat(member: MemberSpec, seat: SeatSpec) -> list[Violation]:
    found = []
    if not _covered(member, seat.starts_at, seat.ends_at):
        found.append(Violation("availability", (seat.id,), member.id, "outside every window"))
    if seat.skills - member.skills:
        missing = ", ".join(sorted(seat.skills - member.skills))
        found.append(Violation("skill", (seat.id,), member.id, f"lacks {missing}"))
    if (
        seat.cell_id is not None
        and seat.cell_id != member.home_cell
        and seat.cell_id not in member.other_cells
    ):
        found.append(Violation("cell", (seat.id,), member.id, f"not in cell {seat.cell_id}"))
    rest = timedelta(minutes=member.least_rest_minutes)
    for window in member.busy:
        if seat.starts_at < window.ends_at + rest and window.starts_at < seat.ends_at + rest:
            rule = "overlap" if _overlap(seat, window) else "rest"
            found.append(Violation(rule, (seat.id,), member.id, "against a shift already held"))
    return found


def _covered(member: MemberSpec, start: datetime, end: datetime) -> bool:
    reached = start
    for window in sorted(member.available, key=lambda one: one.starts_at):
        if window.starts_at <= reached < window.ends_at:
            reached = window.ends_at
    return reached >= end


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.starts_at < other.ends_at and other.starts_at < one.ends_at)


def _check_person(member: MemberSpec, own: list[SeatSpec], zone: ZoneInfo) -> list[Violation]:
    found = []
    rest = timedelta(minutes=member.least_rest_minutes)
    for one, other in combinations(sorted(own, key=lambda seat: (seat.starts_at, seat.id)), 2):
        pair = (one.id, other.id)
        if one.locked is not None and other.locked is not None:
            continue
        if one.shift_id == other.shift_id:
            found.append(Violation("one_seat_per_shift", pair, member.id, "twice in one team"))
        elif _overlap(one, other):
            found.append(Violation("overlap", pair, member.id, "at the same time"))
        elif one.ends_at + rest > other.starts_at:
            found.append(Violation("rest", pair, member.id, "too little rest"))
    chosen = [seat for seat in own if seat.locked is None]
    if not chosen:
        return found
    ids = tuple(seat.id for seat in own)
    if member.most_shifts is not None and len(own) > member.most_shifts:
        found.append(Violation("most_shifts", ids, member.id, f"{len(own)} shifts"))
    minutes = sum(_minutes(seat) for seat in own)
    if member.most_minutes is not None and minutes > member.most_minutes:
        found.append(Violation("most_minutes", ids, member.id, f"{minutes} minutes"))
    if member.most_days_in_row is not None:
        given = {_day(seat.starts_at, zone) for seat in own if seat.locked is not None}
        given |= {_day(window.starts_at, zone) for window in member.busy}
        worked = given | {_day(seat.starts_at, zone) for seat in chosen}
        for first in worked:
            row = [first + timedelta(days=step) for step in range(member.most_days_in_row + 1)]
            if set(row) <= worked and not set(row) <= given:
                found.append(Violation("days_in_row", ids, member.id, f"from {first}"))
    return found


def _check_team(
    members: dict[int, MemberSpec], team: list[SeatSpec], plan: dict[int, int]
) -> list[Violation]:
    found = []
    for one, other in combinations(team, 2):
        a, b = members[plan[one.id]], members[plan[other.id]]
        both_locked = one.locked is not None and other.locked is not None
        if not both_locked and (b.id in a.apart or a.id in b.apart):
            found.append(Violation("apart", (one.id, other.id), a.id, f"in one team with {b.id}"))
    return found


def _minutes(seat: SeatSpec) -> int:
    return int((seat.ends_at - seat.starts_at).total_seconds() // 60)


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def score(problem: Problem, plan: dict[int, int]) -> dict[str, int]:
    """Return the objective of `plan` by term; their sum is the objective, lower is better."""
    weights = problem.weights
    members = {member.id: member for member in problem.members}
    teams: dict[int, list[int]] = defaultdict(list)
    held: dict[int, list[SeatSpec]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    terms = dict.fromkeys(
        (
            "open",
            "below_least",
            "inexperienced",
            "wishes",
            "together",
            "least_minutes",
            "load",
            "way",
        ),
        0,
    )
    for seat in problem.seats:
        sizes[seat.shift_id] += 1
        who = plan.get(seat.id)
        if who is None:
            terms["open"] += weights.open * seat.weight
            continue
        teams[seat.shift_id].append(who)
        held[who].append(seat)
        terms["wishes"] -= weights.wish * members[who].wishes.get(seat.shift_id, 0)
        if seat.cell_id is not None and seat.cell_id != members[who].home_cell:
            terms["way"] += weights.way
    for shift in problem.shifts:
        if not sizes[shift.id]:
            continue
        team = teams[shift.id]
        # A shift with fewer seats than its least can't be blamed for the seats it hasn't.
        missing = max(0, min(shift.least, sizes[shift.id]) - len(team))
        terms["below_least"] += weights.below_least * missing
        if shift.wants_experienced and not any(members[who].experienced for who in team):
            terms["inexperienced"] += weights.inexperienced
        for one, other in combinations(team, 2):
            if other in members[one].together or one in members[other].together:
                terms["together"] -= weights.together
    for member in problem.members:
        own = held[member.id]
        missing = max(0, member.least_minutes - sum(_minutes(seat) for seat in own))
        terms["least_minutes"] += weights.least_minutes * missing
        for nth in range(1, len(own) + 1):
            price = weights.load * (2 * (member.past_load + nth) - 1)
            terms["load"] += math.floor(price + 0.5)
    return terms


def check_files(problem: dict[str, Any], solution: dict[str, Any]) -> list[Violation]:
    """Check the two dumped files (`make_roster --dump`): rules, objective, bound."""
    spec = Problem.from_json(problem)
    plan = {int(seat): member for seat, member in solution["seats"].items()}
    found = check(spec, plan)
    terms = score(spec, plan) if not any(one.rule == "unknown" for one in found) else {}
    if terms != solution["terms"] or sum(terms.values()) != solution["objective"]:
        found.append(Violation("objective", (), None, f"is {terms}, not {solution['terms']}"))
    if solution["bound"] > solution["objective"] + 1e-6:
        found.append(Violation("bound", (), None, "above the objective"))
    open_ids = {one["seat"] for one in solution["open"]}
    if open_ids != {seat.id for seat in spec.seats} - set(plan):
        found.append(Violation("open", (), None, "open seats don't match the plan"))
    return found
