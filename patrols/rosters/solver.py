"""Plans a roster: the method follows from the rules that bind.

1. A min-cost flow over everybody: exact when the rules in force are flow-shaped (one seat per
   overlap clique, limits on seats, cells, skills, experience, fair load), else a proven bound.
2. Where its plan breaks a rule a flow can't hold: tighten the flow for those people alone and
   solve it again, until the plan is valid; refill by hand what is missing.
3. If that is not proven optimal (or within `gap`): an integer programme (HiGHS; CP-SAT when
   small) over everybody, started from the plan so far.
4. What is left of the time goes to large-neighbourhood search with CP-SAT (Shaw 1998).
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from patrols.rosters import engines, explain, flow
from patrols.rosters.compiled import Compiled, compile_problem
from patrols.rosters.model import build
from patrols.rosters.plan import Plan
from patrols.rosters.problem import Problem
from patrols.rosters.solution import Progress, Solution

ROUNDS = 300  # of neighbourhood search, the deterministic end of it
SMALL = 3_000  # columns; below, CP-SAT at once is quicker than HiGHS in its process
SMALL_EFFORT = 20.0
FLOWS = 12  # rounds of tightening
NEIGHBOURS = 80  # people decided anew per round
EFFORT = 2.0  # deterministic seconds of CP-SAT per round
MODEL_SHARE = 0.75  # of the time, for the integer programme


@dataclass(slots=True)
class _Run:
    compiled: Compiled
    started: float
    seconds: float
    seed: int
    gap: float
    on_progress: Callable[[Progress], None] | None
    cancelled: Callable[[], bool] | None
    best: Plan
    objective: int | None = None
    bound: float = float("-inf")
    cut_off: bool = False

    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.started)

    def stop(self) -> bool:
        """Tell whether to end now, and note that the clock or a cancel ended the search."""
        if self.left() <= 0 or (self.cancelled is not None and self.cancelled()):
            self.cut_off = True
            return True
        return False

    def optimal(self) -> bool:
        # Objectives are integers.
        return self.objective is not None and self.objective - self.bound < 1 - 1e-6

    def done(self) -> bool:
        """Tell whether the plan is as good as was asked for."""
        if self.objective is None:
            return False
        near = self.objective - self.bound <= self.gap * max(1, abs(self.objective))
        return near or self.optimal()

    def tell(self, phase: str) -> None:
        if self.on_progress is not None:
            seconds = time.monotonic() - self.started
            self.on_progress(Progress(phase, seconds, self.objective, self.bound))

    def offer(self, plan: Plan) -> bool:
        objective = plan.objective()
        if self.objective is None or objective < self.objective:
            self.best, self.objective = plan, objective
            return True
        return False


def solve(
    problem: Problem,
    *,
    seconds: float,
    seed: int,
    gap: float = 0.0,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Solution:
    """Return the best valid plan found in `seconds`, with a proven bound.

    The search ends once the plan is within `gap` of the bound (0.001 is a tenth of a per cent).

    Same problem and seed give the same plan unless `cut_off` is set. `on_progress` is called
    from this thread or a helper thread; `cancelled` is asked often, and ends the search early.
    """
    started = time.monotonic()
    compiled = compile_problem(problem)
    run = _Run(
        compiled, started, seconds, seed, gap, on_progress, cancelled, best=Plan(compiled=compiled)
    )
    relaxed = flow.relax(compiled)
    run.bound = relaxed.bound
    method = "flow"
    tight = flow.Tightening()
    for number in range(FLOWS):
        kept, dropped = _keep_valid(compiled, relaxed.edges)
        run.offer(kept if not dropped else _refilled(kept))
        run.tell("flow")
        if not dropped or number == FLOWS - 1 or run.stop():
            break
        method = "flows"
        for edge in dropped:
            _tighten(compiled, kept, tight, edge)
        relaxed = flow.relax(compiled, tight=tight)
    if not run.done():
        if not run.stop():
            method += _integer_programme(run)
        if not run.done() and not run.stop():
            method += "+lns"
            _neighbourhoods(run)
        if not run.optimal():
            run.best.fill_greedily()
            run.objective = run.best.objective()
    return _solution(problem, run, method)


def _keep_valid(compiled: Compiled, edges: list[int]) -> tuple[Plan, list[int]]:
    """Take over the flow's seats one by one; return also those that break another rule."""
    plan, dropped = Plan(compiled=compiled), []
    for edge in edges:
        if plan.obstacle(edge) is None:
            plan.add(edge)
        else:
            dropped.append(edge)
    return plan, dropped


def _refilled(plan: Plan) -> Plan:
    plan = plan.copy()
    plan.fill_greedily()
    return plan


def _tighten(compiled: Compiled, plan: Plan, tight: flow.Tightening, edge: int) -> None:
    """Forbid the flow what brought this seat and the member's others together."""
    who, group = compiled.edge_member[edge], compiled.edge_group[edge]
    at, member = compiled.slot_of_group(group), compiled.members[who]
    slots = compiled.slots
    held = [compiled.slot_of_group(compiled.edge_group[one]) for one in plan.held[who]]
    minutes = sum(slots[one].minutes for one in held) + slots[at].minutes
    if not held or plan.obstacle(edge) == "apart":
        tight.banned.add(edge)
    elif member.minutes_left is not None and minutes > member.minutes_left:
        tight.caps[who] = len(held)
    else:
        nearest = min(held, key=lambda one: (abs(slots[one].start - slots[at].start), one))
        # Of three nights the middle one goes: what is left fits together best.
        tight.ban_slot(
            compiled, who, max((at, nearest), key=lambda one: _crowd(compiled, who, one))
        )


def _crowd(compiled: Compiled, who: int, slot: int) -> int:
    """Count the member's other times that are near this one."""
    member, here = compiled.members[who], compiled.slots[slot]
    near = 1 if member.spec.most_days_in_row is not None else 0
    return sum(
        here.clashes(compiled.slots[one], member.rest)
        or abs(compiled.slots[one].day - here.day) <= near
        for one in member.slots
    )


def _integer_programme(run: _Run) -> str:
    model = build(run.compiled)

    def heard(objective: float, bound: float) -> None:
        run.bound = max(run.bound, bound + model.constant)
        run.tell("mip")

    hint, seconds = set(run.best.edges()), max(0.5, run.left() * MODEL_SHARE)
    if small := len(model.costs) <= SMALL:
        answer = engines.run_cpsat(
            model, effort=SMALL_EFFORT, seconds=seconds, seed=run.seed, hint=hint
        )
    else:
        answer = engines.run_highs(
            model,
            seconds=seconds,
            seed=run.seed,
            hint=hint,
            on_bound=heard,
            cancelled=run.cancelled,
        )
    run.bound = max(run.bound, answer.bound + model.constant)
    run.cut_off = answer.cut_off
    if answer.edges is not None:
        plan, _ = _keep_valid(run.compiled, answer.edges)
        run.offer(plan)
    run.tell("mip")
    return "+cpsat" if small else "+mip"


def _neighbourhoods(run: _Run) -> None:
    """Free a few dozen people around one shift, decide their seats anew, keep what is better."""
    compiled, rng = run.compiled, random.Random(run.seed)
    by_group: dict[int, list[int]] = defaultdict(list)
    for who, group in zip(compiled.edge_member, compiled.edge_group, strict=True):
        by_group[group].append(who)
    shifts = [at for at, shift in enumerate(compiled.shifts) if shift.groups]
    for number in range(ROUNDS):
        if not shifts or run.stop() or run.done():
            return
        lacking = [at for at in shifts if _lacks(run.best, at)]
        centre = rng.choice(lacking if lacking and rng.random() < 0.6 else shifts)
        members = _around(run, by_group, centre, rng)
        model = build(compiled, members=members, plan=run.best)
        mine = {edge for who in members for edge in run.best.held[who]}
        answer = engines.run_cpsat(
            model, effort=EFFORT, seconds=run.left(), seed=run.seed, hint=mine
        )
        run.cut_off |= answer.cut_off
        if answer.edges is None or set(answer.edges) == mine:
            continue
        plan = run.best.copy()
        for edge in mine:
            plan.remove(edge)
        for edge in answer.edges:
            plan.add(edge)
        if run.offer(plan) or number % 20 == 0:
            run.tell("lns")


def _lacks(plan: Plan, at: int) -> bool:
    shift = plan.compiled.shifts[at]
    if any(plan.has_room(group) for group in shift.groups):
        return True
    return shift.wants_experienced and not plan.has_experienced(at)


def _around(
    run: _Run, by_group: dict[int, list[int]], centre: int, rng: random.Random
) -> list[int]:
    compiled = run.compiled
    found: dict[int, None] = {}
    queue, seen = [centre], {centre}
    while queue and len(found) < NEIGHBOURS:
        shift = compiled.shifts[queue.pop(0)]
        people = [who for group in shift.groups for who in by_group[group]]
        rng.shuffle(people)
        for who in people:
            found[who] = None
            # On to the shifts they hold now: there a swap may begin.
            for edge in run.best.held[who]:
                after = compiled.groups[compiled.edge_group[edge]].shift
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
    return list(found)[:NEIGHBOURS]


def _solution(problem: Problem, run: _Run, method: str) -> Solution:
    compiled, plan = run.compiled, run.best
    seats = {seat.id: seat.locked for seat in problem.seats if seat.locked is not None}
    for group, filled in zip(compiled.groups, plan.filled, strict=True):
        people = sorted(compiled.members[compiled.edge_member[edge]].id for edge in filled)
        seats.update(zip(group.seats, people, strict=False))
    terms = plan.terms()
    objective = sum(terms.values())
    bound = float(objective) if run.optimal() else run.bound
    return Solution(
        seats=dict(sorted(seats.items())),
        open=explain.open_seats(problem, compiled, plan, seats, cut_off=run.cut_off),
        terms=terms,
        objective=objective,
        bound=bound,
        gap=(objective - bound) / max(1, abs(objective)),
        seconds=time.monotonic() - run.started,
        method=method,
        cut_off=run.cut_off,
        why=explain.why(problem, seats),
    )
