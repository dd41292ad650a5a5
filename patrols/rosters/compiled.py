"""The problem in small integers: which member could take which seats, and at what price.

All rules that concern one member and one seat alone (availability, skills, cell, shifts already
held) are settled here; what remains for the solvers are the rules between seats.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from patrols.rosters.problem import MemberSpec, Problem, SeatSpec, Window


@dataclass(frozen=True, slots=True)
class Slot:
    """A distinct time: seconds since the epoch, minutes long, local day number."""

    start: int
    end: int
    minutes: int
    day: int

    def clashes(self, other: Slot, rest: int) -> bool:
        """Tell whether the two overlap or leave less than `rest` seconds between them."""
        return self.start < other.end + rest and other.start < self.end + rest


@dataclass(slots=True)
class Group:
    """Free seats of one shift that no rule or price tells apart."""

    shift: int
    skills: frozenset[str]
    value: int
    seats: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Shift:
    """A team: its slot, its groups of free seats, and who is locked in already."""

    id: int
    slot: int
    cell: int | None
    least: int  # still missing after the locked seats
    wants_experienced: bool  # False once a locked member is experienced
    groups: list[int] = field(default_factory=list)
    locked: frozenset[int] = frozenset()


@dataclass(slots=True)
class Member:
    """A person with what their locked seats leave of each limit."""

    id: int
    spec: MemberSpec
    rest: int
    cap: int  # seats still allowed
    minutes_left: int | None
    short: int  # minutes still missing below the least
    carried: int  # locked seats, for the price of the next
    days: frozenset[int]  # days given by held and locked shifts
    options: list[int] = field(default_factory=list)  # edges
    slots: tuple[int, ...] = ()  # the distinct slots of the options, by start


@dataclass(slots=True)
class Compiled:
    """Indices into these lists are what plans and models speak of; an edge is member → group."""

    problem: Problem
    slots: list[Slot]
    shifts: list[Shift]
    groups: list[Group]
    members: list[Member]
    edge_member: list[int]
    edge_group: list[int]
    edge_cost: list[int]  # wish, way and pairs wanted with locked members; without the load
    apart: dict[int, frozenset[int]]
    together: dict[int, frozenset[int]]

    def load_cost(self, member: int, nth: int) -> int:
        """Return the price of the member's `nth` free seat of this plan (from 1)."""
        one = self.members[member]
        k = one.spec.past_load + one.carried + nth
        return math.floor(self.problem.weights.load * (2 * k - 1) + 0.5)

    def slot_of_group(self, group: int) -> int:
        """Return the slot index of the group's shift."""
        return self.shifts[self.groups[group].shift].slot


def compile_problem(problem: Problem) -> Compiled:
    """Index the problem and list every admissible pair of member and group of seats."""
    zone = ZoneInfo(problem.zone)
    slots: list[Slot] = []
    slot_index: dict[tuple[datetime, datetime], int] = {}
    shift_index = {shift.id: at for at, shift in enumerate(problem.shifts)}
    shifts = [Shift(s.id, -1, None, s.least, s.wants_experienced) for s in problem.shifts]
    members_by_id = {member.id: at for at, member in enumerate(problem.members)}
    groups: list[Group] = []
    group_index: dict[tuple[int, frozenset[str], int], int] = {}
    locked_slots: dict[int, list[int]] = defaultdict(list)
    sizes = [0] * len(shifts)
    for seat in problem.seats:
        at = slot_index.get((seat.starts_at, seat.ends_at))
        if at is None:
            at = slot_index[(seat.starts_at, seat.ends_at)] = len(slots)
            slots.append(_slot(seat, zone))
        shift = shifts[shift_index[seat.shift_id]]
        shift.slot, shift.cell = at, seat.cell_id
        sizes[shift_index[seat.shift_id]] += 1
        if seat.locked is not None:
            who = members_by_id[seat.locked]
            locked_slots[who].append(at)
            shift.locked |= {who}
            shift.wants_experienced &= not problem.members[who].experienced
            continue
        key = (seat.shift_id, seat.skills, seat.weight)
        if key not in group_index:
            group_index[key] = len(groups)
            shift.groups.append(len(groups))
            value = problem.weights.open * seat.weight
            groups.append(Group(shift_index[seat.shift_id], seat.skills, value))
        groups[group_index[key]].seats.append(seat.id)
    for shift, size in zip(shifts, sizes, strict=True):
        shift.least = max(0, min(shift.least, size) - len(shift.locked))
    members = [
        _member(spec, [slots[at] for at in locked_slots[who]], zone)
        for who, spec in enumerate(problem.members)
    ]
    apart, together = _pairs(problem, members_by_id)
    compiled = Compiled(problem, slots, shifts, groups, members, [], [], [], apart, together)
    _list_edges(compiled, locked_slots)
    return compiled


def _slot(window: SeatSpec | Window, zone: ZoneInfo) -> Slot:
    start, end = int(window.starts_at.timestamp()), int(window.ends_at.timestamp())
    day = window.starts_at.astimezone(zone).date().toordinal()
    return Slot(start, end, (end - start) // 60, day)


def _member(spec: MemberSpec, locked: list[Slot], zone: ZoneInfo) -> Member:
    minutes = sum(slot.minutes for slot in locked)
    cap = 1 << 30 if spec.most_shifts is None else spec.most_shifts - len(locked)
    left = None if spec.most_minutes is None else max(0, spec.most_minutes - minutes)
    days = {_slot(window, zone).day for window in spec.busy} | {slot.day for slot in locked}
    return Member(
        id=spec.id,
        spec=spec,
        rest=spec.least_rest_minutes * 60,
        cap=max(0, cap),
        minutes_left=left,
        short=max(0, spec.least_minutes - minutes),
        carried=len(locked),
        days=frozenset(days),
    )


def _pairs(
    problem: Problem, index: dict[int, int]
) -> tuple[dict[int, frozenset[int]], dict[int, frozenset[int]]]:
    apart: dict[int, set[int]] = defaultdict(set)
    together: dict[int, set[int]] = defaultdict(set)
    for who, member in enumerate(problem.members):
        for pairs, named in ((apart, member.apart), (together, member.together)):
            for other in named:
                if other in index and index[other] != who:
                    pairs[who].add(index[other])
                    pairs[index[other]].add(who)
    return (
        {who: frozenset(others) for who, others in apart.items()},
        {who: frozenset(others) for who, others in together.items()},
    )


def covering(windows: tuple[Window, ...]) -> list[tuple[int, int]]:
    """Merge touching windows; return (start, end) in seconds, by start."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(
        (int(one.starts_at.timestamp()), int(one.ends_at.timestamp())) for one in windows
    ):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _list_edges(compiled: Compiled, locked_slots: dict[int, list[int]]) -> None:
    problem, slots = compiled.problem, compiled.slots
    by_cell: dict[int | None, list[tuple[int, Shift]]] = defaultdict(list)
    for at, shift in enumerate(compiled.shifts):
        if shift.groups:
            by_cell[shift.cell].append((at, shift))
    wish, way = problem.weights.wish, problem.weights.way
    for who, member in enumerate(compiled.members):
        spec = member.spec
        if member.cap == 0:
            continue
        held = [_slot(one, ZoneInfo("UTC")) for one in spec.busy]
        held += [slots[at] for at in locked_slots[who]]
        windows = covering(spec.available)
        fits = [
            any(start <= slot.start and slot.end <= end for start, end in windows)
            and not any(slot.clashes(one, member.rest) for one in held)
            and (member.minutes_left is None or slot.minutes <= member.minutes_left)
            for slot in slots
        ]
        if not any(fits):
            continue
        apart = compiled.apart.get(who, frozenset())
        together = compiled.together.get(who, frozenset())
        used: set[int] = set()
        homes = {None, spec.home_cell}
        cells = set(spec.other_cells)
        if spec.home_cell is not None:
            cells.add(spec.home_cell)
        for cell in [None, *sorted(cells)]:
            way_cost = 0 if cell in homes else way
            for _, shift in by_cell.get(cell, ()):
                if not fits[shift.slot] or (apart and apart & shift.locked):
                    continue
                cost = way_cost - wish * spec.wishes.get(shift.id, 0)
                if together:
                    cost -= problem.weights.together * len(together & shift.locked)
                for group in shift.groups:
                    if compiled.groups[group].skills <= spec.skills:
                        member.options.append(len(compiled.edge_member))
                        compiled.edge_member.append(who)
                        compiled.edge_group.append(group)
                        compiled.edge_cost.append(cost)
                        used.add(shift.slot)
        member.slots = tuple(sorted(used, key=lambda at: (slots[at].start, slots[at].end)))
        member.cap = min(member.cap, len(member.slots) or 0)
        if member.minutes_left is not None and used:
            shortest = min(slots[at].minutes for at in used)
            if shortest:
                member.cap = min(member.cap, member.minutes_left // shortest)
