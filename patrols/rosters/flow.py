"""The whole roster as one min-cost flow: exact where the rules are flow-shaped, else a bound.

source → member (one arc per further seat, dearer each time: fair load) → member's time clique
(capacity one: overlap and rest) → [shift, where it has several groups] → group (through an arc
of capacity one that pays for the first experienced member) → shift (the arc up to `least` pays
more) → sink. What a flow can't hold is left out or rounded in the plan's favour, so the optimum
is never above the true one. Algorithm: Goldberg and Tarjan's cost scaling (OR-Tools).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ortools.graph.python import min_cost_flow

from patrols.rosters.compiled import Compiled, Member
from patrols.rosters.plan import Plan


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The flow's optimum: edges in use, and a price that no valid plan goes below."""

    edges: list[int]
    bound: int


@dataclass(slots=True)
class Tightening:
    """Flow-shaped restrictions beyond the rules, by which a plan is led back to the valid ones.

    A flow with any of them is no bound any more.
    """

    caps: dict[int, int] = field(default_factory=dict)
    banned: set[int] = field(default_factory=set)  # edges

    def ban_slot(self, compiled: Compiled, who: int, slot: int) -> None:
        """Keep the member from working at that time."""
        self.banned.update(
            edge
            for edge in compiled.members[who].options
            if compiled.slot_of_group(compiled.edge_group[edge]) == slot
        )


class _Network:
    def __init__(self) -> None:
        self.nodes = 0
        self.tails: list[int] = []
        self.heads: list[int] = []
        self.caps: list[int] = []
        self.costs: list[int] = []

    def node(self) -> int:
        self.nodes += 1
        return self.nodes - 1

    def arc(self, tail: int, head: int, cap: int, cost: int) -> int:
        self.tails.append(tail)
        self.heads.append(head)
        self.caps.append(cap)
        self.costs.append(cost)
        return len(self.tails) - 1


def cliques(compiled: Compiled, member: Member) -> list[list[int]]:
    """Cover the member's slots by few sets of which only one can be worked.

    Slots lengthened by the rest form an interval graph, where taking whatever contains the
    earliest end is optimal (Gupta, Lee and Leung 1979). "No two days in a row" adds to it.
    """
    slots, given = compiled.slots, member.days
    single = member.spec.most_days_in_row == 1
    parts: list[list[int]] = []
    for at in sorted(member.slots, key=lambda one: (slots[one].end, one)):
        slot = slots[at]
        if parts and all(
            slot.clashes(slots[one], member.rest)
            or (
                single
                and abs(slot.day - slots[one].day) == 1
                and not (slot.day in given and slots[one].day in given)
            )
            for one in parts[-1]
        ):
            parts[-1].append(at)
        else:
            parts.append([at])
    return parts


def relax(compiled: Compiled, *, tight: Tightening | None = None) -> Relaxed:
    """Solve the flow relaxation, or a restriction of it; raise `RuntimeError` on failure."""
    tight = tight or Tightening()
    net = _Network()
    source, sink = net.node(), net.node()
    weights = compiled.problem.weights
    constant = _constant(compiled)
    entry, entry_experienced = _group_nodes(compiled, net, sink)
    edge_arcs: list[tuple[int, int]] = []
    cache: dict[tuple[object, ...], list[list[int]]] = {}
    for who, member in enumerate(compiled.members):
        if not member.options or member.cap == 0:
            continue
        key = (member.slots, member.rest, member.spec.most_days_in_row, member.days)
        parts = cache.get(key)
        if parts is None:
            parts = cache[key] = cliques(compiled, member)
        cap = min(member.cap, tight.caps.get(who, member.cap))
        node = net.node()
        longest = max(compiled.slots[at].minutes for at in member.slots)
        for nth in range(1, min(cap, len(parts)) + 1):
            gain = min(member.short, nth * longest) - min(member.short, (nth - 1) * longest)
            cost = compiled.load_cost(who, nth) - weights.least_minutes * gain
            net.arc(source, node, 1, cost)
        clique_of: dict[int, int] = {}
        for part in parts:
            at_clique = node if len(parts) == 1 and cap == 1 else net.node()
            if at_clique != node:
                net.arc(node, at_clique, 1, 0)
            clique_of.update(dict.fromkeys(part, at_clique))
        enter = entry_experienced if member.spec.experienced else entry
        pair_gain = _pair_gain(compiled, who)
        for edge in member.options:
            if edge in tight.banned:
                continue
            group = compiled.edge_group[edge]
            cost = compiled.edge_cost[edge] - pair_gain
            arc = net.arc(clique_of[compiled.slot_of_group(group)], enter[group], 1, cost)
            edge_arcs.append((edge, arc))
    supply = sum(len(group.seats) for group in compiled.groups)
    net.arc(source, sink, supply, 0)
    return _solve(net, source, sink, supply, edge_arcs, constant)


def _solve(
    net: _Network,
    source: int,
    sink: int,
    supply: int,
    edge_arcs: list[tuple[int, int]],
    constant: int,
) -> Relaxed:
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(
        np.array(net.tails, dtype=np.int64),
        np.array(net.heads, dtype=np.int64),
        np.array(net.caps, dtype=np.int64),
        np.array(net.costs, dtype=np.int64),
    )
    flow.set_node_supply(source, supply)
    flow.set_node_supply(sink, -supply)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"min-cost flow ended with status {status}")
    arcs = np.array([arc for _, arc in edge_arcs], dtype=np.int64)
    used = flow.flows(arcs) > 0 if len(arcs) else np.zeros(0, dtype=bool)
    edges = [edge for (edge, _), on in zip(edge_arcs, used, strict=True) if on]
    return Relaxed(edges=edges, bound=int(flow.optimal_cost()) + constant)


def _group_nodes(
    compiled: Compiled, net: _Network, sink: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Build shifts and groups; return each group's entry for people and for experienced ones."""
    weights = compiled.problem.weights
    entry: dict[int, int] = {}
    entry_experienced: dict[int, int] = {}
    for shift in compiled.shifts:
        if not shift.groups:
            continue
        seats = sum(len(compiled.groups[group].seats) for group in shift.groups)
        out = net.node()
        if shift.least:
            net.arc(out, sink, shift.least, -weights.below_least)
        if seats > shift.least:
            net.arc(out, sink, seats - shift.least, 0)
        for at in shift.groups:
            group = compiled.groups[at]
            entry[at] = entry_experienced[at] = net.node()
            net.arc(entry[at], out, len(group.seats), -group.value)
            if shift.wants_experienced:
                # Paid once per group: with several groups that is too much, never too little.
                entry_experienced[at] = net.node()
                net.arc(entry_experienced[at], entry[at], 1, -weights.inexperienced)
                net.arc(entry_experienced[at], entry[at], len(group.seats), 0)
    return entry, entry_experienced


def _pair_gain(compiled: Compiled, who: int) -> int:
    # A pair in one team pays once; half to each side, rounded up, never pays less. In one seat a
    # member meets each of their friends at most once.
    friends = len(compiled.together.get(who, frozenset()))
    return friends * ((compiled.problem.weights.together + 1) // 2)


def _constant(compiled: Compiled) -> int:
    """Return the objective of the empty plan, which the arcs' prices are relative to."""
    return Plan(compiled=compiled).objective()
