"""Cut a graph into contiguous cells and make them better, one node at a time. Knows no map."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pymetis

OUTSIDE_STEP = 0.5
"""What being outside the band costs a cell at all; the best compactness gain of a move is less."""
OUTSIDE_SLOPE = 6.0
"""What being outside by one band minimum costs more."""
SHARED_SEED = 5.0
"""What it costs that two seeds share a cell."""
RECUT_STEPS = 60
"""Annealing steps per node where two cells are cut anew."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Hold nodes with weight and ground, and who borders whom.

    `around[v]` lists (neighbour, metres of border, cost of cutting); `area` and `outline` are zero
    where there is no map.
    """

    weight: Sequence[int]
    area: Sequence[float]
    outline: Sequence[float]
    around: Sequence[Sequence[tuple[int, float, float]]]

    def within(self, nodes: Sequence[int]) -> Graph:
        """Return the graph of some nodes, renumbered; borders to the rest become outline."""
        new = {v: i for i, v in enumerate(nodes)}
        return Graph(
            weight=[self.weight[v] for v in nodes],
            area=[self.area[v] for v in nodes],
            outline=[
                self.outline[v] + sum(m for u, m, _ in self.around[v] if u not in new)
                for v in nodes
            ],
            around=[[(new[u], m, c) for u, m, c in self.around[v] if u in new] for v in nodes],
        )


@dataclass(frozen=True, slots=True)
class Aim:
    """Hold what a good cell is: weights within `low` to `high`, compact, few and cheap cuts."""

    low: float
    high: float
    compact: float = 1.0
    cut: float = 0.01
    stay: float = 0.0
    """What it costs that `low` households are not at home (see `Division.home`)."""

    def outside(self, weight: float) -> float:
        """Return the penalty for a cell's weight; 0 inside the band."""
        excess = max(self.low - weight, weight - self.high, 0.0)
        return OUTSIDE_STEP + OUTSIDE_SLOPE * excess / self.low if excess > 1e-9 else 0.0


def roundness(area: float, perimeter: float) -> float:
    """Return the Polsby-Popper score 4πA/P², 1 for a circle."""
    return 4 * math.pi * area / perimeter**2 if perimeter > 0 else 0.0


@dataclass(slots=True)
class Division:
    """Hold a partition of a graph with each cell's sums, kept up to date move by move."""

    graph: Graph
    part: list[int]
    count: int
    home: Sequence[int] | None = None
    """The cell each node was in before, -1 for none; to be elsewhere costs `Aim.stay`."""
    held: Sequence[int] | None = None
    """1 for a node that shares a cell with no other such node, 2 for one that stays put."""
    weight: list[float] = field(init=False)
    area: list[float] = field(init=False)
    perimeter: list[float] = field(init=False)
    size: list[int] = field(init=False)
    whole: list[float] = field(init=False)

    def __post_init__(self) -> None:
        g = self.graph
        self.weight, self.area = [0.0] * self.count, [0.0] * self.count
        self.perimeter, self.size = [0.0] * self.count, [0] * self.count
        self.whole = [g.outline[v] + sum(m for _, m, _ in g.around[v]) for v in range(len(g.area))]
        for v, cell in enumerate(self.part):
            self.weight[cell] += g.weight[v]
            self.area[cell] += g.area[v]
            self.size[cell] += 1
            self.perimeter[cell] += self.whole[v] - sum(
                m for u, m, _ in g.around[v] if self.part[u] == cell
            )

    def score(self, aim: Aim) -> float:
        """Return the total penalty of this division; less is better."""
        cells = sum(
            aim.outside(self.weight[c])
            + aim.compact * (1 - roundness(self.area[c], self.perimeter[c]))
            for c in range(self.count)
        )
        cuts = sum(
            cost
            for v, links in enumerate(self.graph.around)
            for u, _, cost in links
            if u < v and self.part[u] != self.part[v]
        )
        if self.held is not None:
            cells += SHARED_SEED * self.crowded()
        return cells + aim.cut * cuts + aim.stay * self.away() / aim.low

    def crowded(self) -> int:
        """Return how many seeds share their cell with another."""
        held = self.held or ()
        seeds = [p for p, kind in zip(self.part, held, strict=False) if kind == 1]
        return len(seeds) - len(set(seeds))

    def away(self) -> float:
        """Return the weight that is not at home; a node without weight counts a tenth."""
        if self.home is None:
            return 0.0
        return sum(
            w or 0.1
            for w, p, h in zip(self.graph.weight, self.part, self.home, strict=True)
            if p != h >= 0
        )

    def holds_without(self, v: int) -> bool:
        """Tell whether v's cell stays in one piece, and not empty, when v leaves it."""
        around, part = self.graph.around, self.part
        cell = part[v]
        mine = [u for u, _, _ in around[v] if part[u] == cell]
        if len(mine) <= 1:
            return len(mine) == 1
        # Mostly the neighbours of v know each other; only otherwise walk the cell.
        wanted = set(mine)
        wanted.discard(mine[0])
        stack = [mine[0]]
        while stack and wanted:
            for u, _, _ in around[stack.pop()]:
                if u in wanted:
                    wanted.discard(u)
                    stack.append(u)
        if not wanted:
            return True
        seen = {v, mine[0]}
        queue = [mine[0]]
        for at in queue:
            for u, _, _ in around[at]:
                if u not in seen and part[u] == cell:
                    if u in wanted:
                        wanted.discard(u)
                        if not wanted:
                            return True
                    seen.add(u)
                    queue.append(u)
        return False

    def anneal(self, aim: Aim, *, steps: int, rng: random.Random, start: float = 0.08) -> None:
        """Improve by single moves that keep every cell contiguous, cooling from `start`.

        Each step offers one node at a border to a neighbouring cell. The last fifth of the steps
        accepts no loss, so the result is near a local optimum. Simulated annealing after
        Kirkpatrick, Gelatt, Vecchi 1983.
        """
        g, part = self.graph, self.part
        if self.count < 2 or steps <= 0:
            return
        weight, area, perimeter, size = self.weight, self.area, self.perimeter, self.size
        compact, cut_weight, outside = aim.compact, aim.cut, aim.outside
        n, four_pi = len(part), 4 * math.pi
        around, whole, weights, areas = g.around, self.whole, g.weight, g.area
        uniform, expo = rng.random, math.exp
        home, stay, held = self.home, aim.stay / aim.low, self.held
        seeds = [0] * self.count
        if held is not None:
            for v, kind in enumerate(held):
                seeds[part[v]] += kind == 1
        warm = max(int(steps * 0.8), 1)
        heat, cool = start, (0.02) ** (1 / warm)
        for step in range(steps):
            heat = heat * cool if step < warm else 0.0
            v = int(uniform() * n)
            a = part[v]
            links = around[v]
            # One neighbour, drawn at random, names the other cell: inside a cell the step is void.
            b = part[links[int(uniform() * len(links))][0]] if links else a
            if b == a or size[a] == 1:
                continue
            if held is not None and held[v] and (held[v] == 2 or seeds[b]):
                continue
            to_a = to_b = cost_a = cost_b = 0.0
            for u, metres, cost in links:
                p = part[u]
                if p == a:
                    to_a += metres
                    cost_a += cost
                elif p == b:
                    to_b += metres
                    cost_b += cost
            w, ground = weights[v], areas[v]
            rim_a = perimeter[a] - whole[v] + 2 * to_a
            rim_b = perimeter[b] + whole[v] - 2 * to_b
            change = cut_weight * (cost_a - cost_b)
            if w:
                change += outside(weight[a] - w) - outside(weight[a])
                change += outside(weight[b] + w) - outside(weight[b])
            if home is not None:
                change += stay * (w or 0.1) * ((home[v] == a) - (home[v] == b))
            if compact:
                for c, rim, moved in ((a, rim_a, -ground), (b, rim_b, ground)):
                    if perimeter[c] > 0:
                        change += compact * four_pi * area[c] / perimeter[c] ** 2
                    if rim > 0:
                        change -= compact * four_pi * (area[c] + moved) / rim**2
            if change > 0 and (heat <= 0 or uniform() >= expo(-change / heat)):
                continue
            if not self.holds_without(v):
                continue
            part[v] = b
            weight[a] -= w
            weight[b] += w
            area[a] -= ground
            area[b] += ground
            perimeter[a], perimeter[b] = rim_a, rim_b
            size[a] -= 1
            size[b] += 1
            if held is not None and held[v]:
                seeds[a] -= 1
                seeds[b] += 1


def seed_parts(
    graph: Graph,
    count: int,
    *,
    rng: random.Random,
    loose: float = 0.2,
    held: Sequence[int] | None = None,
) -> list[int]:
    """Return a contiguous part number for each node of a connected graph, by METIS.

    Parts may be heavier than the mean by the share `loose`. METIS (Karypis, Kumar 1998) may leave a
    part empty or in pieces where weights are lumpy; such parts are mended with a spanning-tree cut.
    Where nodes are `held` as seeds, parts grow from them instead. Needs count <= number of nodes.
    """
    n = len(graph.weight)
    if count <= 1:
        return [0] * n
    if count >= n:
        return list(range(n))
    if held is not None and 1 in held:
        return grow_parts(graph, count, held, rng=rng)
    allowed = max(1, round(1000 * loose))
    options = pymetis.Options(seed=rng.randrange(1 << 30), contig=1, ufactor=allowed)
    starts, ends, costs = [0], [], []
    for links in graph.around:
        for u, _, cost in links:
            ends.append(u)
            costs.append(max(1, round(cost * 100)))
        starts.append(len(ends))
    # A little weight for each node keeps garages from piling up in one part.
    scale = max(1, 1000 // max(1, sum(graph.weight) // n))
    _, part = pymetis.part_graph(
        count,
        pymetis.CSRAdjacency(adj_starts=starts, adjacent=ends),
        vweights=[w * scale + 1 for w in graph.weight],
        eweights=costs,
        recursive=False,
        options=options,
    )
    return _mend(graph, [int(p) for p in part], count, rng)


def grow_parts(graph: Graph, count: int, held: Sequence[int], *, rng: random.Random) -> list[int]:
    """Return contiguous parts grown together from seeds, the lightest part taking the next node.

    With fewer seeds than parts the others start as far away as can be; with more, some part holds
    two.
    """
    seeds = [v for v, kind in enumerate(held) if kind == 1]
    rng.shuffle(seeds)
    starts = seeds[:count]
    hops = _hops(graph, starts)
    while len(starts) < count:
        free = [v for v in range(len(held)) if hops[v]]
        starts.append(max(free, key=lambda v: (hops[v], graph.weight[v], -v)))
        hops = [min(h, k) for h, k in zip(hops, _hops(graph, starts[-1:]), strict=True)]
    part = [-1] * len(held)
    heavy = [0.0] * count
    rims: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
    taken = 0

    def take(v: int, p: int) -> None:
        nonlocal taken
        part[v] = p
        heavy[p] += graph.weight[v] + 0.01
        taken += 1
        for u, _, _ in graph.around[v]:
            if part[u] < 0:
                # Another seed comes last; else in rings around the start, so that parts are round.
                heapq.heappush(rims[p], (held[u] == 1, rings[p].setdefault(u, rings[p][v] + 1), u))

    rings: list[dict[int, int]] = [{v: 0} for v in starts]
    for p, v in enumerate(starts):
        part[v] = p
    for p, v in enumerate(starts):
        take(v, p)
    open_parts = [(heavy[p], p) for p in range(count)]
    heapq.heapify(open_parts)
    waiting: list[int] = []
    while taken < len(held) and (open_parts or waiting):
        if not open_parts:
            # Only seeds beyond the number of parts are left.
            open_parts, waiting = [(heavy[p], p) for p in waiting], []
            heapq.heapify(open_parts)
            spare = True
        else:
            spare = False
        _, p = heapq.heappop(open_parts)
        rim = rims[p]
        while rim and part[rim[0][2]] >= 0:
            heapq.heappop(rim)
        if not rim:
            continue
        if rim[0][0] and not spare:
            waiting.append(p)
            continue
        take(heapq.heappop(rim)[2], p)
        open_parts += [(heavy[q], q) for q in waiting]
        waiting = []
        heapq.heapify(open_parts)
        heapq.heappush(open_parts, (heavy[p], p))
    return part


def _hops(graph: Graph, starts: Sequence[int]) -> list[int]:
    """Return the number of steps from the nearest start to each node; far where there is no way."""
    hops = [1 << 30] * len(graph.weight)
    for v in starts:
        hops[v] = 0
    queue = list(starts)
    for v in queue:
        for u, _, _ in graph.around[v]:
            if hops[u] > hops[v] + 1:
                hops[u] = hops[v] + 1
                queue.append(u)
    return hops


def pieces(graph: Graph, nodes: Iterable[int]) -> list[list[int]]:
    """Return the connected pieces of some nodes, each sorted, in order of their first node."""
    left = set(nodes)
    result = []
    for first in sorted(left):
        if first not in left:
            continue
        left.discard(first)
        piece = [first]
        for at in piece:
            for u, _, _ in graph.around[at]:
                if u in left:
                    left.discard(u)
                    piece.append(u)
        result.append(sorted(piece))
    return result


def _mend(graph: Graph, part: list[int], count: int, rng: random.Random) -> list[int]:
    """Return a partition of exactly `count` contiguous parts near the one given."""
    cells: list[list[int]] = [[] for _ in range(count)]
    for v, p in enumerate(part):
        cells[p].append(v)
    loose: list[int] = []
    for p, nodes in enumerate(cells):
        bits = pieces(graph, nodes)
        if len(bits) > 1:
            bits.sort(key=lambda bit: -sum(graph.weight[v] for v in bit))
            for v in (v for bit in bits[1:] for v in bit):
                part[v] = -1
                loose.append(v)
            cells[p] = bits[0]
    while loose:
        rest = []
        for v in loose:
            near = [(cost, part[u]) for u, _, cost in graph.around[v] if part[u] >= 0]
            if near:
                part[v] = max(near)[1]
            else:
                rest.append(v)
        if len(rest) == len(loose):
            break
        loose = rest
    for p in range(count):
        if p in part:
            continue
        held: dict[int, list[int]] = {}
        for v, q in enumerate(part):
            held.setdefault(q, []).append(v)
        donor = max(
            (nodes for nodes in held.values() if len(nodes) > 1),
            key=lambda nodes: sum(graph.weight[v] for v in nodes),
        )
        half = sum(graph.weight[v] for v in donor) / 2
        for v in tree_cut(graph, donor, lambda w: abs(w - half), rng=rng):  # noqa: B023
            part[v] = p
    return part


def tree_cut(
    graph: Graph, nodes: Sequence[int], cost: Callable[[float], float], *, rng: random.Random
) -> list[int]:
    """Return one side of the cheapest cut of a random spanning tree of contiguous nodes.

    `cost` judges the side's weight. Both sides are contiguous and not empty. Tree cuts as in ReCom
    (DeFord, Duchin, Solomon 2021), with a randomly grown tree.
    """
    inside = set(nodes)
    first = nodes[rng.randrange(len(nodes))]
    parent = {first: -1}
    order = []
    edge = [(first, -1)]
    taken: set[int] = set()
    while edge:
        at = rng.randrange(len(edge))
        edge[at], edge[-1] = edge[-1], edge[at]
        v, above = edge.pop()
        if v in taken:
            continue
        taken.add(v)
        parent[v] = above
        order.append(v)
        edge.extend((u, v) for u, _, _ in graph.around[v] if u in inside and u not in taken)
    below = {v: float(graph.weight[v]) for v in order}
    for v in reversed(order[1:]):
        below[parent[v]] += below[v]
    best = min(order[1:], key=lambda v: (cost(below[v]), v))
    side = {best}
    for v in order:
        if parent[v] in side:
            side.add(v)
    return sorted(side)


def divide(
    graph: Graph,
    count: int,
    aim: Aim,
    *,
    rng: random.Random,
    steps: int,
    tries: int = 1,
    rounds: int = 0,
    held: Sequence[int] | None = None,
) -> list[int]:
    """Return the best part number per node over some tries, for a connected graph.

    After annealing, each two neighbouring cells are cut anew in `rounds`, then cells outside the
    band are merged with neighbours and cut anew until all are inside or patience ends. Nodes with
    `held` 1 end up in different cells if they can.
    """
    middle = sum(graph.weight) / count or 1.0
    loose = 0.8 * min(aim.high / middle - 1, 1 - aim.low / middle)
    start = max(0.08, 1.5 * aim.cut)
    best: tuple[float, Division] | None = None
    for _ in range(max(tries, 1)):
        part = seed_parts(graph, count, rng=rng, loose=loose, held=held)
        division = Division(graph, part, count, held=held)
        division.anneal(aim, steps=steps, rng=rng, start=start)
        score = division.score(aim)
        if best is None or score < best[0] - 1e-12:
            best = (score, division)
    assert best is not None
    division = best[1]
    for _ in range(rounds):
        recombine(division, aim, rng=rng)
        division.anneal(aim, steps=steps // 6, rng=rng, start=0.02)
    recut(division, aim, rng=rng)
    return division.part


def recombine(division: Division, aim: Aim, *, rng: random.Random) -> None:
    """Cut each two neighbouring cells anew, and keep what is better.

    Moves that single nodes can't make, as in ReCom (DeFord, Duchin, Solomon 2021), but by METIS and
    annealed.
    """
    around, part = division.graph.around, division.part
    members: dict[int, list[int]] = {}
    for v, c in enumerate(part):
        members.setdefault(c, []).append(v)
    pairs = {
        (part[v], part[u])
        for v, links in enumerate(around)
        for u, _, _ in links
        if part[v] < part[u]
    }
    order = sorted(pairs)
    rng.shuffle(order)
    for pair in order:
        nodes = sorted(members[pair[0]] + members[pair[1]])
        new = _cut_anew(division, nodes, pair, aim, rng=rng, loose=0.3)
        if new is not None:
            for c in pair:
                members[c] = []
            for v, p in zip(nodes, new, strict=True):
                part[v] = pair[p]
                members[pair[p]].append(v)
    division.__post_init__()


def _cut_anew(
    division: Division,
    nodes: Sequence[int],
    cells: Sequence[int],
    aim: Aim,
    *,
    rng: random.Random,
    loose: float,
) -> list[int] | None:
    """Return a better cut of some cells' nodes, as indices in `cells`, or None."""
    local = division.graph.within(nodes)
    if len(pieces(local, range(len(nodes)))) > 1:
        return None
    held = None if division.held is None else [division.held[v] for v in nodes]
    if held is not None and 2 in held:
        return None
    index = {c: i for i, c in enumerate(cells)}
    before = Division(local, [index[division.part[v]] for v in nodes], len(cells), held=held)
    part = seed_parts(local, len(cells), rng=rng, loose=loose, held=held)
    after = Division(local, part, len(cells), held=held)
    after.anneal(aim, steps=RECUT_STEPS * len(nodes), rng=rng, start=0.03)
    return after.part if after.score(aim) < before.score(aim) - 1e-9 else None


def recut(division: Division, aim: Aim, *, rng: random.Random, patience: int = 40) -> None:
    """Merge each cell outside the band with one to three neighbours and cut them anew."""
    graph = division.graph
    for _ in range(patience):
        bad = [c for c in range(division.count) if aim.outside(division.weight[c])]
        if not bad or division.count < 2:
            return
        members: dict[int, list[int]] = {}
        for v, c in enumerate(division.part):
            members.setdefault(c, []).append(v)
        group = [rng.choice(bad)]
        for _ in range(rng.choice((1, 1, 2, 3))):
            near = sorted(
                {division.part[u] for c in group for v in members[c] for u, _, _ in graph.around[v]}
                - set(group)
            )
            if near:
                group.append(rng.choice(near))
        if len(group) < 2:
            continue
        nodes = sorted(v for c in group for v in members[c])
        new = _cut_anew(division, nodes, group, aim, rng=rng, loose=0.05)
        if new is not None:
            for v, p in zip(nodes, new, strict=True):
                division.part[v] = group[p]
            division.__post_init__()
