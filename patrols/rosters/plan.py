"""A plan in the making: who holds which group of seats, what stands in the way, what it costs."""

from __future__ import annotations

from patrols.rosters.compiled import Compiled


class Plan:
    """Free seats given so far; locked seats are part of the compiled problem, not of the plan."""

    def __init__(self, *, compiled: Compiled) -> None:
        self.compiled = compiled
        self.held: list[list[int]] = [[] for _ in compiled.members]  # edges by member
        self.filled: list[list[int]] = [[] for _ in compiled.groups]  # edges by group
        self.team: list[set[int]] = [set(shift.locked) for shift in compiled.shifts]

    def add(self, edge: int) -> None:
        """Give the edge's member a seat of its group; the caller has asked `obstacle` first."""
        compiled = self.compiled
        who, group = compiled.edge_member[edge], compiled.edge_group[edge]
        self.held[who].append(edge)
        self.filled[group].append(edge)
        self.team[compiled.groups[group].shift].add(who)

    def remove(self, edge: int) -> None:
        """Take the seat back."""
        compiled = self.compiled
        who, group = compiled.edge_member[edge], compiled.edge_group[edge]
        self.held[who].remove(edge)
        self.filled[group].remove(edge)
        self.team[compiled.groups[group].shift].discard(who)

    def edges(self) -> list[int]:
        """Return all edges in use, in order."""
        return sorted(edge for held in self.held for edge in held)

    def copy(self) -> Plan:
        """Return an independent plan with the same seats."""
        other = Plan(compiled=self.compiled)
        other.held = [list(held) for held in self.held]
        other.filled = [list(filled) for filled in self.filled]
        other.team = [set(team) for team in self.team]
        return other

    def has_room(self, group: int) -> bool:
        """Tell whether the group has a free seat."""
        return len(self.filled[group]) < len(self.compiled.groups[group].seats)

    def obstacle(self, edge: int) -> str | None:
        """Name what keeps the edge's member from one more seat in that group, or None."""
        compiled = self.compiled
        who, group = compiled.edge_member[edge], compiled.edge_group[edge]
        member = compiled.members[who]
        shift_at = compiled.groups[group].shift
        slot = compiled.slots[compiled.shifts[shift_at].slot]
        held = [
            compiled.slots[compiled.slot_of_group(compiled.edge_group[e])] for e in self.held[who]
        ]
        if who in self.team[shift_at] or any(slot.clashes(one, member.rest) for one in held):
            return "overlap_or_rest"
        if len(held) >= member.cap:
            return "at_limit"
        if (
            member.minutes_left is not None
            and sum(one.minutes for one in held) + slot.minutes > member.minutes_left
        ):
            return "at_limit"
        most = member.spec.most_days_in_row
        if most is not None:
            days = member.days | {one.day for one in held}
            if slot.day not in days and _row_with(days, slot.day) > most:
                return "at_limit"
        if not compiled.apart.get(who, frozenset()).isdisjoint(self.team[shift_at]):
            return "apart"
        return None

    def add_cost(self, edge: int) -> int:
        """Return by how much the objective grows when the edge is added (mostly negative)."""
        compiled, weights = self.compiled, self.compiled.problem.weights
        who, group = compiled.edge_member[edge], compiled.edge_group[edge]
        member = compiled.members[who]
        shift_at = compiled.groups[group].shift
        shift = compiled.shifts[shift_at]
        team = self.team[shift_at]
        cost = compiled.edge_cost[edge] - compiled.groups[group].value
        cost += compiled.load_cost(who, len(self.held[who]) + 1)
        if len(team) - len(shift.locked) < shift.least:
            cost -= weights.below_least
        if (
            shift.wants_experienced
            and member.spec.experienced
            and not self.has_experienced(shift_at)
        ):
            cost -= weights.inexperienced
        for other in compiled.together.get(who, frozenset()):
            # Pairs with locked members are in the edge's own cost.
            if other in team and other not in shift.locked:
                cost -= weights.together
        if member.short:
            done = sum(
                compiled.slots[compiled.slot_of_group(compiled.edge_group[e])].minutes
                for e in self.held[who]
            )
            gain = min(max(0, member.short - done), compiled.slots[shift.slot].minutes)
            cost -= weights.least_minutes * gain
        return cost

    def has_experienced(self, shift: int) -> bool:
        """Tell whether somebody in the team is experienced."""
        members = self.compiled.members
        return any(members[who].spec.experienced for who in self.team[shift])

    def fill_greedily(self, *, edges: list[int] | None = None) -> None:
        """Add whatever lowers the objective, the best edge first, until nothing does."""
        compiled = self.compiled
        if edges is None:
            edges = list(range(len(compiled.edge_member)))
        edges = [edge for edge in edges if self.has_room(compiled.edge_group[edge])]
        # Scarce groups first: they have the fewest people to choose from.
        choices: dict[int, int] = {}
        for edge in edges:
            group = compiled.edge_group[edge]
            choices[group] = choices.get(group, 0) + 1
        by_group: dict[int, list[int]] = {}
        for edge in edges:
            by_group.setdefault(compiled.edge_group[edge], []).append(edge)
        for group in sorted(by_group, key=lambda one: (choices[one], one)):
            while self.has_room(group):
                free = [edge for edge in by_group[group] if self.obstacle(edge) is None]
                best = min(free, key=lambda edge: (self.add_cost(edge), edge), default=None)
                if best is None or self.add_cost(best) >= 0:
                    break
                self.add(best)

    def terms(self) -> dict[str, int]:
        """Return the objective by term, locked seats and what nobody can change included."""
        compiled, weights = self.compiled, self.compiled.problem.weights
        terms = dict.fromkeys(
            ("open", "below_least", "inexperienced", "wishes", "together", "least_minutes"), 0
        ) | {"load": 0, "way": 0}
        taken = [0] * len(compiled.shifts)
        for at, group in enumerate(compiled.groups):
            terms["open"] += group.value * (len(group.seats) - len(self.filled[at]))
            taken[group.shift] += len(self.filled[at])
        for at, shift in enumerate(compiled.shifts):
            if shift.slot < 0:
                continue
            terms["below_least"] += weights.below_least * max(0, shift.least - taken[at])
            if shift.wants_experienced and not self.has_experienced(at):
                terms["inexperienced"] += weights.inexperienced
            team = self.team[at]
            pairs = sum(
                len(compiled.together[who] & team) for who in team & compiled.together.keys()
            )
            terms["together"] -= weights.together * (pairs // 2)
            for who in team:
                spec = compiled.members[who].spec
                terms["wishes"] -= weights.wish * spec.wishes.get(shift.id, 0)
                if shift.cell is not None and shift.cell != spec.home_cell:
                    terms["way"] += weights.way
        for who, member in enumerate(compiled.members):
            held = self.held[who]
            if member.short:
                done = sum(
                    compiled.slots[compiled.slot_of_group(compiled.edge_group[e])].minutes
                    for e in held
                )
                terms["least_minutes"] += weights.least_minutes * max(0, member.short - done)
            for nth in range(1 - member.carried, len(held) + 1):
                terms["load"] += compiled.load_cost(who, nth)
        return terms

    def objective(self) -> int:
        """Return the sum of the terms."""
        return sum(self.terms().values())


def _row_with(days: set[int] | frozenset[int], day: int) -> int:
    first = last = day
    while first - 1 in days:
        first -= 1
    while last + 1 in days:
        last += 1
    return last - first + 1
