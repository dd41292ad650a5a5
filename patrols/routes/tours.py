"""Cut the required edges into tours within capacity and length: capacitated arc routing.

A memetic search after Lacomme, Prins and Ramdane-Chérif (2004): an order of all tasks is cut into
tours by the best split (Ulusoy 1985, here with each task's best direction), improved by local
search over all tours, and crossed with other orders. The neighbourhoods (move one or two tasks,
swap two, exchange or turn round the ends of tours) are evaluated as whole matrices. The same
problem, seed and effort give the same tours; `cut_off` says when the clock ended it instead.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from patrols.routes.bound import lower_bound
from patrols.routes.problem import SLACK, Answer, Problem, Step, Tour
from patrols.routes.ways import Ways

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Routes = list[list[int]]
Move = tuple[float, tuple[int, ...], Routes]

_INF = float("inf")
_KEPT = 24
_TIGHT = 0.9
_TOO_MANY = 1e12


def solve(
    problem: Problem,
    *,
    seed: int = 0,
    effort: float = 1.0,
    seconds: float = 25.0,
    orders: Sequence[Sequence[int]] = (),
    bounded: bool = True,
    ways: Ways | None = None,
) -> Answer:
    """Return tours that serve every required edge that can be served.

    `orders` are orders of required edges to begin with, such as that of one long tour. `effort`
    scales how many tours are bred; 0 only cuts and improves the orders at hand. `bounded` False
    saves the time for the proven bound; `ways` are those of the same edges, where known.
    """
    ways = ways or Ways(problem.nodes, problem.edges)
    unreached = _unreached(problem, ways)
    tasks = [number for number in problem.required if number not in unreached]
    if not tasks:
        return Answer((), 0.0, 0.0, unreached)
    bound = lower_bound(problem, tasks, ways) if bounded else 0.0
    search = _Search(problem, tasks, ways)
    deadline = time.monotonic() + seconds
    place = {number: at for at, number in enumerate(tasks)}
    given = [[place[number] for number in order if number in place] for order in orders]
    routes, cut_off = search.breed(
        random.Random(seed), given, effort=effort, bound=bound, deadline=deadline
    )
    tours = tuple(_tour(problem, tasks, ways, route) for route in routes)
    cost = sum(tour.cost for tour in tours)
    return Answer(tours, cost, min(bound, cost), unreached, cut_off)


def _unreached(problem: Problem, ways: Ways) -> dict[int, str]:
    found = {}
    from_depot = ways.metres[problem.depot]
    for number in problem.required:
        edge = problem.edges[number]
        there_and_back = from_depot[edge.u] + edge.cost + from_depot[edge.v]
        if not np.isfinite(there_and_back):
            found[number] = "no_way"
        elif problem.limit is not None and there_and_back > problem.limit + SLACK:
            found[number] = "too_far"
        elif problem.capacity is not None and edge.demand > problem.capacity + SLACK:
            found[number] = "too_large"
    return found


def _tour(problem: Problem, tasks: list[int], ways: Ways, route: list[int]) -> Tour:
    """Write a route of arcs out as every edge walked."""
    steps: list[Step] = []
    here, load = problem.depot, 0.0
    for arc in route:
        number, forward = tasks[arc >> 1], not arc & 1
        edge = problem.edges[number]
        start, end = (edge.u, edge.v) if forward else (edge.v, edge.u)
        steps += ways.steps(here, start)
        steps.append(Step(number, forward=forward, serves=True))
        here, load = end, load + edge.demand
    steps += ways.steps(here, problem.depot)
    cost = sum(problem.edges[step.edge].cost for step in steps)
    return Tour(tuple(steps), cost, load)


class _Search:
    """Tasks as arcs: 2k walks task k from u to v, 2k+1 back; the arc 2n is the depot."""

    def __init__(self, problem: Problem, tasks: list[int], ways: Ways) -> None:
        edges = [problem.edges[number] for number in tasks]
        self.n = n = len(tasks)
        self.depot = 2 * n
        tails = [node for edge in edges for node in (edge.u, edge.v)] + [problem.depot]
        heads = [node for edge in edges for node in (edge.v, edge.u)] + [problem.depot]
        # gap[a, b]: from the end of arc a to the start of arc b.
        self.gap: Floats = ways.metres[np.ix_(heads, tails)]
        self.rows: list[list[float]] = self.gap.tolist()
        self.cost = np.array([edge.cost for edge in edges])
        self.served = float(self.cost.sum())
        self.load = np.array([edge.demand for edge in edges], dtype=float)
        self.cost_list: list[float] = self.cost.tolist()
        self.load_list: list[float] = self.load.tolist()
        self.capacity = _INF if problem.capacity is None else problem.capacity + SLACK
        self.limit = _INF if problem.limit is None else problem.limit + SLACK
        self.vehicles = problem.vehicles
        self._lower: dict[int, NDArray[np.bool_]] = {}
        # Where the tours are nearly full, plans a little overloaded lie between good ones: they
        # are let through at a price for each unit too much, which follows how many are.
        used = float(self.load.sum()) / self.capacity / (self.vehicles or _INF)
        self.soft = used > _TIGHT and self.capacity < _INF
        self.price = 2 * self.served / float(self.load.sum() or 1)
        self.most_load = self.capacity * (1.3 if self.soft else 1)

    # --- the whole search -----------------------------------------------------------------

    def breed(
        self,
        rng: random.Random,
        given: list[list[int]],
        *,
        effort: float,
        bound: float,
        deadline: float,
    ) -> tuple[Routes, bool]:
        """Return the best routes found, and whether the clock ended the search."""
        pool: list[tuple[float, Routes]] = []
        self._best: tuple[float, Routes] = (_INF, [])
        starts = [*given, *self._scanned(rng, 4 if effort else 1)]
        firsts = len(starts)
        rounds = int(effort * min(900, max(120, 60_000 // self.n)))
        starts += [rng.sample(range(self.n), self.n) for _ in range(min(_KEPT, rounds // 8))]
        # The first plans keep to the capacity, so that there is one whatever the clock says.
        soft, self.soft, loads = self.soft, False, self.most_load
        self.most_load = self.capacity
        for at, order in enumerate(starts):
            if at == firsts:
                self.soft, self.most_load = soft, loads
            if pool and (self._done(bound) or time.monotonic() > deadline):
                break
            self._add(pool, self.improve(self.split(order)))
        self.soft, self.most_load = soft, loads
        idle = 0
        recent: list[bool] = []
        for turn in range(rounds):
            if self._done(bound) or len(pool) < 2:
                break
            if time.monotonic() > deadline:
                return self._best[1], True
            child = self._crossed(rng, self._picked(rng, pool), self._picked(rng, pool))
            routes = self.split(child)
            if rng.random() < 0.3:
                routes = self._shaken(rng, routes)
            routes = self.improve(routes)
            if self.soft:
                recent.append(self.excess(routes) <= SLACK)
                if not recent[-1] and rng.random() < 0.5:
                    # Mend it: the same with a price that nothing overloaded survives.
                    self._add(pool, routes)
                    kept, self.price = self.price, self.price * 20
                    routes, self.price = self.improve(routes), kept
                if len(recent) == 20:
                    self._reprice(pool, sum(recent) / 20)
                    recent = []
            better = self._add(pool, routes)
            idle = 0 if better else idle + 1
            if idle > 150 + rounds // 6 and turn < rounds - 1:
                # Everything in the pool looks alike: keep the best, begin anew beside it.
                idle = 0
                pool[:] = pool[:1]
                for _ in range(_KEPT // 2):
                    if time.monotonic() > deadline:
                        return self._best[1], True
                    fresh = self.split(rng.sample(range(self.n), self.n))
                    self._add(pool, self.improve(fresh))
        return self._best[1], False

    def _done(self, bound: float) -> bool:
        return self._best[0] <= bound + SLACK

    def total(self, routes: Routes) -> float:
        """Return the cost of all routes; too many of them cost more than any plan."""
        cost = self.served
        for route in routes:
            cost += sum(self.rows[a][b] for a, b in pairwise([self.depot, *route, self.depot]))
        if self.vehicles is not None and len(routes) > self.vehicles:
            cost += (len(routes) - self.vehicles) * _TOO_MANY
        return cost + (self.price * self.excess(routes) if self.soft else 0.0)

    def excess(self, routes: Routes) -> float:
        """Return by how much all routes together are overloaded."""
        loads = (sum(self.load_list[arc >> 1] for arc in route) for route in routes)
        return sum(max(0.0, load - self.capacity) for load in loads)

    def _reprice(self, pool: list[tuple[float, Routes]], feasible: float) -> None:
        """Make overload dearer where too few plans fit, cheaper where nearly all do."""
        self.price *= 1.4 if feasible < 0.3 else 0.75 if feasible > 0.6 else 1.0
        pool[:] = sorted(((self.total(routes), routes) for _, routes in pool), key=lambda p: p[0])

    def _add(self, pool: list[tuple[float, Routes]], routes: Routes) -> bool:
        """Keep routes unless ones of the same cost are there; say whether they are the best."""
        cost = self.total(routes)
        better = cost < self._best[0] - SLACK and (not self.soft or self.excess(routes) <= SLACK)
        if better:
            self._best = (cost, routes)
        if all(abs(cost - known) > SLACK for known, _ in pool):
            pool.append((cost, routes))
            pool.sort(key=lambda one: one[0])
            del pool[_KEPT:]
        return better

    @staticmethod
    def _picked(rng: random.Random, pool: list[tuple[float, Routes]]) -> list[int]:
        """Return the order of the better of two."""
        at = min(rng.randrange(len(pool)), rng.randrange(len(pool)))
        routes = list(pool[at][1])
        rng.shuffle(routes)
        return [arc >> 1 for route in routes for arc in route]

    def _crossed(self, rng: random.Random, one: list[int], other: list[int]) -> list[int]:
        """Keep a stretch of one order, fill in the rest as the other has it (order crossover)."""
        i, j = sorted((rng.randrange(self.n), rng.randrange(self.n)))
        kept = one[i : j + 1]
        inside = set(kept)
        rest = [task for task in other[j + 1 :] + other[: j + 1] if task not in inside]
        after = self.n - 1 - j
        return rest[after:] + kept + rest[:after]

    def _shaken(self, rng: random.Random, routes: Routes) -> Routes:
        """Take some neighbouring tasks out and split what is left and them anew."""
        order = [arc for route in routes for arc in route]
        seed = rng.choice(order)
        many = rng.randint(2, max(2, min(12, self.n // 3)))
        row = self.rows[seed]
        near = sorted(order, key=lambda arc: min(row[arc], row[arc ^ 1]))[:many]
        rng.shuffle(near)
        out = {arc >> 1 for arc in near}
        left = [arc >> 1 for arc in order if arc >> 1 not in out]
        for arc in near:
            left.insert(rng.randrange(len(left) + 1), arc >> 1)
        return self.split(left)

    def lower(self, size: int) -> NDArray[np.bool_]:
        """Return the mask of pairs (i, j) with j ≤ i, made once for each size."""
        if size not in self._lower:
            self._lower = {size: np.tri(size, dtype=bool)}
        return self._lower[size]

    # --- first orders ---------------------------------------------------------------------

    def _scanned(self, rng: random.Random, many: int) -> Iterable[list[int]]:
        """Path scanning: walk on to the nearest task that still fits; ties by different rules."""
        for rule in range(many):
            left, order = set(range(self.n)), []
            while left:
                here, load, length = self.depot, 0.0, 0.0
                while True:
                    best: tuple[float, float, int] | None = None
                    row = self.rows[here]
                    for task in left:
                        if load + self.load_list[task] > self.capacity:
                            continue
                        for arc in (2 * task, 2 * task + 1):
                            back = self.rows[arc][self.depot]
                            if length + row[arc] + self.cost_list[task] + back > self.limit:
                                continue
                            away = rule == 0 or (rule == 2 and load * 2 < self.capacity)
                            tie = rng.random() if rule == 3 else -back if away else back
                            if best is None or (row[arc], tie) < best[:2]:
                                best = (row[arc], tie, arc)
                    if best is None:
                        break
                    arc = best[2]
                    length += best[0] + self.cost_list[arc >> 1]
                    load += self.load_list[arc >> 1]
                    order.append(arc >> 1)
                    left.discard(arc >> 1)
                    here = arc
                if here == self.depot:
                    raise AssertionError("a task alone breaks the limits")
            yield order

    # --- split ----------------------------------------------------------------------------

    def split(self, order: list[int]) -> Routes:
        """Cut an order of tasks into the cheapest routes, each task in its best direction."""
        cuts = self._cuts(order)
        label, origin = [_INF] * (self.n + 1), [0] * (self.n + 1)
        label[0] = 0.0
        for i, trips in enumerate(cuts):
            base = label[i]
            for j, cost in enumerate(trips, start=i + 1):
                if base + cost < label[j] - SLACK:
                    label[j], origin[j] = base + cost, i
        ends = [self.n]
        while ends[-1]:
            ends.append(origin[ends[-1]])
        if self.vehicles is not None and len(ends) - 1 > self.vehicles:
            ends = self._few_ends(cuts, self.vehicles) or ends
        ends.reverse()
        return [self._directed(order[i:j]) for i, j in pairwise(ends)]

    def _cuts(self, order: list[int]) -> list[list[float]]:
        """Return for each place the costs of the trips that begin there, one task longer each."""
        rows, depot, costs, loads = self.rows, self.depot, self.cost_list, self.load_list
        back = [row[depot] for row in rows]
        found: list[list[float]] = []
        for i in range(self.n):
            trips: list[float] = []
            task = order[i]
            load, ahead = loads[task], 2 * task
            forward = rows[depot][ahead] + costs[task]
            turned = rows[depot][ahead + 1] + costs[task]
            j = i
            while load <= self.most_load:
                cost = min(forward + back[ahead], turned + back[ahead + 1])
                # A longer trip is never cheaper: ways obey the triangle inequality.
                if cost > self.limit:
                    break
                trips.append(cost + max(0.0, load - self.capacity) * self.price)
                j += 1
                if j == self.n:
                    break
                task = order[j]
                first, second, ahead = rows[ahead], rows[ahead + 1], 2 * task
                service = costs[task]
                forward, turned = (
                    min(forward + first[ahead], turned + second[ahead]) + service,
                    min(forward + first[ahead + 1], turned + second[ahead + 1]) + service,
                )
                load += loads[task]
            found.append(trips)
        return found

    def _few_ends(self, cuts: list[list[float]], most: int) -> list[int] | None:
        """Return the cuts of the cheapest plan with at most so many trips, last first."""
        n = self.n
        labels = [[0.0] + [_INF] * n]
        origins: list[list[int]] = []
        for _ in range(most):
            last, label, origin = labels[-1], [_INF] * (n + 1), [0] * (n + 1)
            for i, trips in enumerate(cuts):
                base = last[i]
                if base == _INF:
                    continue
                for j, cost in enumerate(trips, start=i + 1):
                    if base + cost < label[j]:
                        label[j], origin[j] = base + cost, i
            labels.append(label)
            origins.append(origin)
        count = min(range(1, most + 1), key=lambda k: labels[k][n])
        if labels[count][n] == _INF:
            return None
        ends = [n]
        for origin in reversed(origins[:count]):
            ends.append(origin[ends[-1]])
        return ends

    def _directed(self, tasks: list[int]) -> list[int]:
        """Choose each task's direction in a trip, best for the whole."""
        rows, depot = self.rows, self.depot
        best = [rows[depot][2 * tasks[0]], rows[depot][2 * tasks[0] + 1]]
        came: list[tuple[int, int]] = []
        for before, task in pairwise(tasks):
            costs, froms = [], []
            for arc in (2 * task, 2 * task + 1):
                one = best[0] + rows[2 * before][arc]
                two = best[1] + rows[2 * before + 1][arc]
                costs.append(min(one, two))
                froms.append(int(two < one))
            best = costs
            came.append((froms[0], froms[1]))
        last = 2 * tasks[-1]
        way = int(best[1] + rows[last + 1][depot] < best[0] + rows[last][depot])
        arcs = [last + way]
        for before, froms_of in zip(reversed(tasks[:-1]), reversed(came), strict=True):
            way = froms_of[way]
            arcs.append(2 * before + way)
        return arcs[::-1]

    # --- local search ---------------------------------------------------------------------

    def improve(self, routes: Routes) -> Routes:
        """Make the best change of all while one makes the routes cheaper."""
        routes = [route for route in routes if route]
        while True:
            moves = self._moves(routes)
            if not moves:
                return routes
            touched: set[int] = set()
            changed: dict[int, list[int]] = {}
            # Best first, and with it whatever else concerns other routes.
            for _, concerned, new in sorted(moves, key=lambda move: move[0]):
                if touched.isdisjoint(concerned):
                    touched.update(concerned)
                    changed.update(zip(concerned, new, strict=True))
            listed = [changed.get(at, route) for at, route in enumerate(routes)]
            listed += [route for at, route in changed.items() if at >= len(routes)]
            routes = [route for route in listed if route]

    def _moves(self, routes: Routes) -> list[Move]:
        """Return improving moves (change of cost, routes concerned, what they become)."""
        flat = _Flat(self, routes)
        found: list[Move] = []
        for kind in (flat.shift_one, flat.swap, flat.ends, flat.shift_two, flat.turn):
            found += kind()
        return found


class _Flat:
    """All routes in one row, with matrices of what each change would cost."""

    def __init__(self, search: _Search, routes: Routes) -> None:
        self.s, self.routes = search, routes
        self.gap, depot = search.gap, search.depot
        self.arcs = np.array([arc for route in routes for arc in route], dtype=np.int64)
        sizes = [len(route) for route in routes]
        self.route_of = np.repeat(np.arange(len(routes)), sizes)
        self.place = np.concatenate([np.arange(size) for size in sizes])
        before = [
            depot if at == 0 else route[at - 1] for route in routes for at in range(len(route))
        ]
        after = [
            depot if at == len(route) - 1 else route[at + 1]
            for route in routes
            for at in range(len(route))
        ]
        self.before, self.after = np.array(before), np.array(after)
        tasks = self.arcs >> 1
        self.cost, self.load = search.cost[tasks], search.load[tasks]
        self.into = self.gap[self.before, self.arcs]
        self.out = self.gap[self.arcs, self.after]
        # Length and load of each route up to and with each place.
        walked = np.cumsum(self.into + self.cost)
        carried = np.cumsum(self.load)
        starts = np.cumsum([0, *sizes[:-1]])
        self.walked = walked - np.repeat(walked[starts] - (self.into + self.cost)[starts], sizes)
        self.carried = carried - np.repeat(carried[starts] - self.load[starts], sizes)
        ends = starts + np.array(sizes) - 1
        self.length = self.walked[ends] + self.out[ends]
        self.full = self.carried[ends]
        self.lower = search.lower(len(self.arcs))
        self.same = self.route_of[:, None] == self.route_of[None, :]
        # Places to insert at: before each arc, at the end of each route, and in a new route.
        spare = search.vehicles is None or len(routes) < search.vehicles
        extra = list(range(len(routes) + spare))
        self.slot_before = np.concatenate(
            [self.before, [route[-1] for route in routes], [depot] * spare]
        ).astype(np.int64)
        self.slot_after = np.concatenate([self.arcs, [depot] * len(extra)]).astype(np.int64)
        self.slot_route = np.concatenate([self.route_of, extra]).astype(np.int64)
        self.slot_place = np.concatenate([self.place, sizes, [0] * spare]).astype(np.int64)
        self.slot_gap = self.gap[self.slot_before, self.slot_after]
        self.slot_length = np.concatenate([self.length, [0.0] * spare])[self.slot_route]
        self.slot_full = np.concatenate([self.full, [0.0] * spare])[self.slot_route]

    def _shift(
        self, first: Ints, last: Ints, cost: Floats, load: Floats, froms: Ints
    ) -> list[Move]:
        """Move chains that begin at the places `froms`, each in its best direction, anywhere."""
        if not len(froms):
            return []
        size = 1 if first is last else 2
        gap, before = self.gap, self.before[froms]
        after = self.after[froms + size - 1]
        gain = gap[before, first] + gap[last, after] - gap[before, after]
        kept = gap[self.slot_before[None, :], first[:, None]]
        kept = kept + gap[last[:, None], self.slot_after[None, :]]
        turned = gap[self.slot_before[None, :], last[:, None] ^ 1]
        turned = turned + gap[first[:, None] ^ 1, self.slot_after[None, :]]
        delta = np.minimum(kept, turned) - self.slot_gap[None, :]
        own = self.route_of[froms][:, None] == self.slot_route[None, :]
        room = self.slot_length[None, :] + delta + cost[:, None] <= self.s.limit
        source = self.full[self.route_of[froms]][:, None]
        if self.s.soft:
            left = self._excess(source - load[:, None]) - self._excess(source)
            more = self._excess(self.slot_full[None, :] + load[:, None])
            more = more - self._excess(self.slot_full)[None, :] + left
            delta = delta + np.where(own, 0.0, more * self.s.price)
        else:
            room &= self.slot_full[None, :] + load[:, None] <= self.s.capacity
        # Within its route a chain may go anywhere but beside itself.
        place = self.place[froms][:, None]
        beside = own & (self.slot_place >= place) & (self.slot_place <= place + size)
        # Turning in place: its slot is between its neighbours once it is out.
        here = np.minimum(
            gap[before, last ^ 1] + gap[first ^ 1, after] - gap[before, after],
            gap[before, first] + gap[last, after] - gap[before, after],
        )
        delta = np.where((room | own) & ~beside, delta, _INF) - gain[:, None]
        found: list[Move] = []
        for row in _best_rows(delta):
            slot = int(delta[row].argmin())
            found.append(self._shifted(row, slot, first, last, froms, kept, turned, delta, size))
        for row in np.flatnonzero(here - gain < -SLACK)[:4].tolist():
            at = int(froms[row])
            route, place_of = int(self.route_of[at]), int(self.place[at])
            new = list(self.routes[route])
            chain = [arc ^ 1 for arc in reversed(new[place_of : place_of + size])]
            new[place_of : place_of + size] = chain
            found.append((float(here[row] - gain[row]), (route,), [new]))
        return found

    def _shifted(
        self,
        row: int,
        slot: int,
        first: Ints,
        last: Ints,
        froms: Ints,
        kept: Floats,
        turned: Floats,
        delta: Floats,
        size: int,
    ) -> Move:
        at = int(froms[row])
        source, target = int(self.route_of[at]), int(self.slot_route[slot])
        start, goal = int(self.place[at]), int(self.slot_place[slot])
        chain = self.routes[source][start : start + size]
        if turned[row, slot] < kept[row, slot]:
            chain = [arc ^ 1 for arc in reversed(chain)]
        left = self.routes[source][:start] + self.routes[source][start + size :]
        if source == target:
            goal -= size if goal > start else 0
            return float(delta[row, slot]), (source,), [left[:goal] + chain + left[goal:]]
        old = self.routes[target] if target < len(self.routes) else []
        new = old[:goal] + chain + old[goal:]
        return float(delta[row, slot]), (source, target), [left, new]

    def _excess(self, load: Floats) -> Floats:
        result: Floats = np.maximum(0.0, load - self.s.capacity)
        return result

    def shift_one(self) -> list[Move]:
        """Move single tasks, or turn them round."""
        froms = np.arange(len(self.arcs))
        return self._shift(self.arcs, self.arcs, self.cost, self.load, froms)

    def shift_two(self) -> list[Move]:
        """Move two tasks that follow each other."""
        froms = np.flatnonzero(self.same.diagonal(1)) if len(self.arcs) > 1 else np.array([], int)
        first, last = self.arcs[froms], self.arcs[froms + 1] if len(froms) else self.arcs[:0]
        if not len(froms):
            return []
        between = self.gap[first, last]
        cost = self.cost[froms] + self.cost[froms + 1] + between
        return self._shift(first, last, cost, self.load[froms] + self.load[froms + 1], froms)

    def swap(self) -> list[Move]:
        """Exchange two tasks that are not neighbours."""
        gap, arcs = self.gap, self.arcs
        ahead = gap[self.before[:, None], arcs[None, :]] + gap[arcs[None, :], self.after[:, None]]
        back = gap[self.before[:, None], arcs[None, :] ^ 1]
        back = back + gap[arcs[None, :] ^ 1, self.after[:, None]]
        # change[i, j]: the ways around place i if the task of place j stood there.
        change = np.minimum(ahead, back) - (self.into + self.out)[:, None]
        delta = change + change.T
        near = self.same & (np.abs(self.place[:, None] - self.place[None, :]) <= 1)
        more = self.load[None, :] - self.load[:, None]
        grown = change + self.cost[None, :] - self.cost[:, None]
        full = self.length[self.route_of][:, None] + grown <= self.s.limit
        loaded = self.full[self.route_of][:, None] + more
        if self.s.soft:
            over = self._excess(loaded) - self._excess(self.full)[self.route_of][:, None]
            delta = delta + np.where(self.same, 0.0, (over + over.T) * self.s.price)
        else:
            full &= loaded <= self.s.capacity
        delta = np.where((self.same | (full & full.T)) & ~near, delta, _INF)
        delta[self.lower] = _INF
        found: list[Move] = []
        for i in _best_rows(delta):
            j = int(delta[i].argmin())
            one, two = int(self.route_of[i]), int(self.route_of[j])
            new = {one: list(self.routes[one]), two: list(self.routes[two])}
            into_i = int(arcs[j]) ^ int(back[i, j] < ahead[i, j])
            into_j = int(arcs[i]) ^ int(back[j, i] < ahead[j, i])
            new[one][int(self.place[i])] = into_i
            new[two][int(self.place[j])] = into_j
            concerned: tuple[int, ...] = (one,) if one == two else (one, two)
            found.append((float(delta[i, j]), concerned, [new[at] for at in concerned]))
        return found

    def ends(self) -> list[Move]:
        """Exchange the ends of two routes after places i and j, or one's start for an end."""
        gap, arcs, depot = self.gap, self.arcs, self.s.depot
        rest_length = self.length[self.route_of] - self.walked - self.out
        rest_load = self.full[self.route_of] - self.carried
        base = self.out[:, None] + self.out[None, :]
        # i goes on with what followed j, j with what followed i.
        crossed = gap[arcs[:, None], self.after[None, :]]
        delta = crossed + crossed.T - base
        loads = self.carried[:, None] + rest_load[None, :]
        was = self._excess(self.full)[self.route_of]
        was = was[:, None] + was[None, :]
        fits = True
        if self.s.soft:
            over = self._excess(loads)
            delta = delta + (over + over.T - was) * self.s.price
        else:
            fits = loads <= self.s.capacity
        fits = fits & (self.walked[:, None] + crossed + rest_length[None, :] <= self.s.limit)
        delta = np.where(~self.same & fits & fits.T, delta, _INF)
        delta[self.lower] = _INF
        found: list[Move] = []
        for i in _best_rows(delta):
            j = int(delta[i].argmin())
            (one, a), (two, b) = self._at(i), self._at(j)
            new = [a[0] + b[1], b[0] + a[1]]
            found.append((float(delta[i, j]), (one, two), new))
        # i goes on with j and back along its route's start; both ends come together.
        joined = gap[arcs[:, None], arcs[None, :] ^ 1]
        after = np.where(self.after == depot, depot, self.after ^ 1)
        others = gap[after[:, None], self.after[None, :]]
        delta = joined + others - base
        starts = self.carried[:, None] + self.carried[None, :]
        rests = rest_load[:, None] + rest_load[None, :]
        fits = True
        if self.s.soft:
            over = self._excess(starts) + self._excess(rests) - was
            delta = delta + over * self.s.price
        else:
            fits = (starts <= self.s.capacity) & (rests <= self.s.capacity)
        fits = fits & (self.walked[:, None] + self.walked[None, :] + joined <= self.s.limit)
        fits &= rest_length[:, None] + rest_length[None, :] + others <= self.s.limit
        delta = np.where(~self.same & fits, delta, _INF)
        delta[self.lower] = _INF
        for i in _best_rows(delta):
            j = int(delta[i].argmin())
            (one, a), (two, b) = self._at(i), self._at(j)
            new = [a[0] + _turned(b[0]), _turned(a[1]) + b[1]]
            found.append((float(delta[i, j]), (one, two), new))
        return found

    def turn(self) -> list[Move]:
        """Turn a piece of a route round, from place i to place j."""
        gap, arcs = self.gap, self.arcs
        delta = gap[self.before[:, None], arcs[None, :] ^ 1]
        delta = delta + gap[arcs[:, None] ^ 1, self.after[None, :]]
        delta = delta - self.into[:, None] - self.out[None, :]
        delta = np.where(self.same, delta, _INF)
        delta[self.lower] = _INF
        found: list[Move] = []
        for i in _best_rows(delta):
            j = int(delta[i].argmin())
            route = self.routes[int(self.route_of[i])]
            a, b = int(self.place[i]), int(self.place[j]) + 1
            new = route[:a] + _turned(route[a:b]) + route[b:]
            found.append((float(delta[i, j]), (int(self.route_of[i]),), [new]))
        return found

    def _at(self, at: int) -> tuple[int, tuple[list[int], list[int]]]:
        """Return the route of a place, cut after it."""
        number, cut = int(self.route_of[at]), int(self.place[at]) + 1
        route = self.routes[number]
        return number, (route[:cut], route[cut:])


def _turned(arcs: list[int]) -> list[int]:
    return [arc ^ 1 for arc in reversed(arcs)]


def _best_rows(delta: Floats, most: int = 6) -> list[int]:
    """Return the few rows with the best improving entries, best first."""
    best = delta.min(axis=1)
    rows = np.flatnonzero(best < -SLACK)
    return [int(row) for row in rows[np.argsort(best[rows], kind="stable")][:most]]
