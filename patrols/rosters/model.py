"""The roster as an integer programme over some members, the others' seats being fixed.

One description for two engines (`engines.py`): HiGHS for whole rosters, CP-SAT for small parts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from patrols.rosters.compiled import Compiled
from patrols.rosters.plan import Plan


@dataclass(slots=True)
class Model:
    """Columns with price, upper bound (lower is 0) and kind; rows `low ≤ Σ a·x ≤ high`."""

    costs: list[int] = field(default_factory=list)
    upper: list[int] = field(default_factory=list)
    integral: list[bool] = field(default_factory=list)
    rows: list[tuple[int | None, int | None, list[tuple[int, int]]]] = field(default_factory=list)
    edge_column: dict[int, int] = field(default_factory=dict)
    constant: int = 0  # the plan's objective = the model's + this

    def column(self, *, cost: int, upper: int = 1, integral: bool = True) -> int:
        """Add a column; return its index."""
        self.costs.append(cost)
        self.upper.append(upper)
        self.integral.append(integral)
        return len(self.costs) - 1

    def at_most(self, terms: list[tuple[int, int]], high: int) -> None:
        """Add Σ a·x ≤ high."""
        self.rows.append((None, high, terms))

    def at_least(self, terms: list[tuple[int, int]], low: int) -> None:
        """Add Σ a·x ≥ low."""
        self.rows.append((low, None, terms))


def build(
    compiled: Compiled, *, members: list[int] | None = None, plan: Plan | None = None
) -> Model:
    """Describe the choice of seats for `members` (all by default), `plan` fixing the others.

    `model.constant` is what no choice of these members changes.
    """
    model = Model()
    chosen = list(range(len(compiled.members))) if members is None else sorted(members)
    inside = set(chosen)
    fixed = Plan(compiled=compiled)
    if plan is not None:
        for who, held in enumerate(plan.held):
            if who not in inside:
                for edge in held:
                    fixed.add(edge)
    by_group: dict[int, list[int]] = defaultdict(list)
    for who in chosen:
        _add_member(compiled, model, fixed, who, by_group)
    _add_shifts(compiled, model, fixed, by_group)
    _add_pairs(compiled, model, by_group)
    model.constant += fixed.objective()
    return model


def _add_member(
    compiled: Compiled, model: Model, fixed: Plan, who: int, by_group: dict[int, list[int]]
) -> None:
    member, weights = compiled.members[who], compiled.problem.weights
    apart = compiled.apart.get(who, frozenset())
    together = compiled.together.get(who, frozenset())
    by_slot: dict[int, list[int]] = defaultdict(list)
    for edge in member.options:
        group = compiled.edge_group[edge]
        shift_at = compiled.groups[group].shift
        shift, team = compiled.shifts[shift_at], fixed.team[shift_at]
        if not fixed.has_room(group) or (apart and apart & team):
            continue
        cost = compiled.edge_cost[edge] - compiled.groups[group].value
        if together:
            cost -= weights.together * len((together & team) - shift.locked)
        column = model.edge_column[edge] = model.column(cost=cost)
        by_group[group].append(edge)
        by_slot[shift.slot].append(column)
    if not by_slot:
        return
    columns = [column for group in by_slot.values() for column in group]
    # Load: dearer with every seat, so the cheap units fill first of themselves.
    units = min(member.cap, len(by_slot))
    steps = [
        model.column(cost=compiled.load_cost(who, nth), integral=False)
        for nth in range(1, units + 1)
    ]
    model.at_most([(c, 1) for c in columns] + [(s, -1) for s in steps], 0)
    _add_cliques(compiled, model, who, by_slot)
    minutes = [
        (column, compiled.slots[at].minutes) for at, group in by_slot.items() for column in group
    ]
    if (left := member.minutes_left) is not None:
        longest = max(compiled.slots[at].minutes for at in by_slot)
        if longest * units > left:
            model.at_most(minutes, left)
    if member.short:
        short = model.column(cost=weights.least_minutes, upper=member.short, integral=False)
        model.constant -= weights.least_minutes * member.short
        model.at_least([*minutes, (short, 1)], member.short)
    if member.spec.most_days_in_row is not None:
        _add_days(compiled, model, who, by_slot)


def _add_cliques(compiled: Compiled, model: Model, who: int, by_slot: dict[int, list[int]]) -> None:
    """At most one of whatever overlaps at some instant, rest included: the maximal cliques."""
    rest = compiled.members[who].rest
    order = sorted(by_slot, key=lambda at: (compiled.slots[at].start, at))
    active: list[int] = []
    grew = False
    for at in [*order, None]:
        start = None if at is None else compiled.slots[at].start
        still = [
            one for one in active if start is not None and compiled.slots[one].end + rest > start
        ]
        if grew and len(still) < len(active):
            terms = [(column, 1) for one in active for column in by_slot[one]]
            if len(terms) > 1:
                model.at_most(terms, 1)
            grew = False
        active = still
        if at is not None:
            active.append(at)
            grew = True


def _add_days(compiled: Compiled, model: Model, who: int, by_slot: dict[int, list[int]]) -> None:
    member = compiled.members[who]
    most = member.spec.most_days_in_row
    assert most is not None
    by_day: dict[int, list[int]] = defaultdict(list)
    for at in by_slot:
        by_day[compiled.slots[at].day].append(at)
    worked: dict[int, list[int]] = {}
    for day, slots in by_day.items():
        if day in member.days:
            continue
        columns = [column for at in slots for column in by_slot[at]]
        alone = all(
            compiled.slots[a].clashes(compiled.slots[b], member.rest) for a in slots for b in slots
        )
        if alone:
            worked[day] = columns
        else:
            worked[day] = [model.column(cost=0)]
            for column in columns:
                model.at_most([(column, 1), (worked[day][0], -1)], 0)
    for first in sorted({day - back for day in worked for back in range(most + 1)}):
        window = range(first, first + most + 1)
        free = [day for day in window if day in worked]
        given = sum(day in member.days for day in window)
        if len(free) + given == most + 1 and free:
            model.at_most([(column, 1) for day in free for column in worked[day]], most - given)


def _add_shifts(
    compiled: Compiled, model: Model, fixed: Plan, by_group: dict[int, list[int]]
) -> None:
    weights = compiled.problem.weights
    for at, shift in enumerate(compiled.shifts):
        columns: list[int] = []
        experienced: list[int] = []
        taken = 0
        for group in shift.groups:
            taken += len(fixed.filled[group])
            edges = by_group.get(group, [])
            terms = [(model.edge_column[edge], 1) for edge in edges]
            room = len(compiled.groups[group].seats) - len(fixed.filled[group])
            if len(terms) > room:
                model.at_most(terms, room)
            for edge in edges:
                who = compiled.edge_member[edge]
                columns.append(model.edge_column[edge])
                if compiled.members[who].spec.experienced:
                    experienced.append(model.edge_column[edge])
        if not columns:
            continue
        if shift.least > taken:
            model.constant -= weights.below_least * (shift.least - taken)
            below = model.column(
                cost=weights.below_least, upper=shift.least - taken, integral=False
            )
            model.at_least([*((c, 1) for c in columns), (below, 1)], shift.least - taken)
        if shift.wants_experienced and experienced and not fixed.has_experienced(at):
            first = model.column(cost=-weights.inexperienced, integral=False)
            model.at_least([*((c, 1) for c in experienced), (first, -1)], 0)


def _add_pairs(compiled: Compiled, model: Model, by_group: dict[int, list[int]]) -> None:
    weights = compiled.problem.weights
    if not compiled.apart and not compiled.together:
        return
    for shift in compiled.shifts:
        by_member: dict[int, list[int]] = defaultdict(list)
        for group in shift.groups:
            for edge in by_group.get(group, []):
                by_member[compiled.edge_member[edge]].append(model.edge_column[edge])
        for one in sorted(by_member):
            ours = [(column, 1) for column in by_member[one]]
            for other in sorted(compiled.apart.get(one, frozenset())):
                if other > one and other in by_member:
                    model.at_most([*ours, *((c, 1) for c in by_member[other])], 1)
            for other in sorted(compiled.together.get(one, frozenset())):
                if other > one and other in by_member:
                    both = model.column(cost=-weights.together, integral=False)
                    model.at_least([*ours, (both, -1)], 0)
                    model.at_least([*((c, 1) for c in by_member[other]), (both, -1)], 0)
