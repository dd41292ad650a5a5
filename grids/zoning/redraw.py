"""Draw cells again after a change of the town, with as few households changing cell as can be."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .edit import Difference, diff
from .fabric import weave
from .improve import Aim, Division, Graph, divide, pieces, tree_cut
from .outcome import Group, Town, finish, town_of, units_of
from .plan import CellKey, CellPlan
from .problem import Band, Building, BuildingId, Options, Street
from .regions import Region, crossings, split

STEPS_PER_UNIT = 60
"""Annealing steps per building around a cell outside the band, and per try."""
TRIES = 3
ROUNDS = 4
REACH = (1, 2, 3)
"""How many cells away help is looked for, tried in turn."""


@dataclass(frozen=True, slots=True)
class Redrawing:
    """Hold cells drawn again (`Cell.key` names each), and what is different from before."""

    plan: CellPlan
    changes: Difference

    def cell_of(self) -> Mapping[BuildingId, CellKey]:
        """Return the key of each building's cell."""
        return {b: cell.key for cell in self.plan.cells for b in cell.buildings}


def redraw(
    previous: Mapping[BuildingId, CellKey],
    buildings: Sequence[Building],
    streets: Sequence[Street] = (),
    *,
    band: Band | None = None,
    seed: int = 0,
    options: Options | None = None,
    keep: Collection[CellKey] = (),
    repair: bool = True,
) -> Redrawing:
    """Draw cells again with least change: a cell keeps its key, only what must moves.

    `previous` is the cell of each building before; buildings not in it are new, ids in it that are
    no longer given are gone. A new building joins the cell it borders most; a new quarter of its
    own becomes new cells, "new-1" and so on. Cells taken apart keep their largest piece. Then, for
    each cell outside the band, the neighbours give or take as few households as can be; a cell is
    split or dissolved only if that is not enough. Cells in `keep` give nothing away; seeds
    (`Options.seeds`) stay in their cell; `Options.locked` is not looked at. Without `repair`
    nobody moves but for contiguity: the plan of an assignment edited by hand.
    """
    started = time.perf_counter()
    band, options = band or Band(), options or Options()
    fabric = weave(buildings, streets, options)
    bridges = crossings(fabric, band=band, options=options)
    town = town_of(buildings, fabric, bridges, band, options)
    draft = _Draft(town, random.Random(f"{seed}/redraw"))
    draft.take_over(previous, keep)
    draft.mend()
    draft.place_new()
    if repair:
        draft.repair()
    groups = draft.groups(_regions_of(town))
    inside = {u: g for g, group in enumerate(groups) for u in group.units}
    town = town_of(
        buildings,
        fabric,
        [b for b in bridges if inside[b.one] == inside[b.two]],
        band,
        options,
    )
    plan = finish(town, groups, seed=seed, started=started)
    after = {b: cell.key for cell in plan.cells for b in cell.buildings}
    return Redrawing(plan, diff(previous, after, {b.id: b.dwellings for b in buildings}))


def _regions_of(town: Town) -> dict[int, Region]:
    regions, _ = split(town.fabric, band=town.band, options=town.options, locked=frozenset())
    return {u: region for region in regions for u in region.units}


@dataclass(slots=True)
class _Draft:
    """Hold the cells while they are being redrawn: `part[u]` is a number in `keys`, -1 none yet."""

    town: Town
    rng: random.Random
    part: list[int] = field(default_factory=list)
    home: list[int] = field(default_factory=list)
    keys: list[CellKey] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)
    pinned: set[int] = field(default_factory=set)
    new: int = 0

    def take_over(self, previous: Mapping[BuildingId, CellKey], keep: Collection[CellKey]) -> None:
        """Put each unit in the cell that most of its households were in."""
        number: dict[CellKey, int] = {}
        for members in self.town.fabric.of_unit:
            votes: Counter[CellKey] = Counter()
            for i in members:
                building = self.town.buildings[i]
                key = previous.get(building.id)
                if key is not None:
                    votes[key] += 1 + building.dwellings
            if votes:
                key = votes.most_common(1)[0][0]
                self.part.append(number.setdefault(key, len(number)))
            else:
                self.part.append(-1)
        self.keys = list(number)
        self.home = list(self.part)
        self.kept = {number[key] for key in keep if key in number}
        self.pinned = set(units_of(self.town, self.town.options.seeds, "seed"))

    def members(self) -> dict[int, list[int]]:
        """Return the units of each cell that has any."""
        cells: dict[int, list[int]] = {}
        for u, c in enumerate(self.part):
            cells.setdefault(c, []).append(u)
        return cells

    def weights(self) -> list[float]:
        """Return the households of each cell."""
        result = [0.0] * len(self.keys)
        for u, c in enumerate(self.part):
            if c >= 0:
                result[c] += self.town.graph.weight[u]
        return result

    def mend(self) -> None:
        """Let cells that fell apart keep their heaviest piece; the others are placed anew."""
        graph = self.town.graph
        for c, units in self.members().items():
            if c < 0:
                continue
            bits = pieces(graph, units)
            bits.sort(
                key=lambda bit: (
                    self.pinned.isdisjoint(bit),
                    -sum(graph.weight[u] for u in bit),
                    bit,
                )
            )
            for u in (u for bit in bits[1:] for u in bit):
                self.part[u] = -1

    def place_new(self) -> None:
        """Put units without a cell in one: a quarter that can be cells by itself becomes cells."""
        graph, band = self.town.graph, self.town.band
        loose = [u for u, c in enumerate(self.part) if c < 0]
        for piece in pieces(graph, loose):
            weight = sum(graph.weight[u] for u in piece)
            if weight >= band.min and all(self.home[u] < 0 for u in piece):
                self._settle(piece, weight)
        weights = self.weights()
        loose = [u for u in loose if self.part[u] < 0]
        while True:
            near = {u: c for u in loose if (c := self._beside(u, weights)) is not None}
            if not near:
                break
            for u, c in near.items():
                self.part[u] = c
                weights[c] += graph.weight[u]
            loose = [u for u in loose if u not in near]
        # What borders no cell at all is a place of its own.
        for piece in pieces(graph, loose):
            self._settle(piece, sum(graph.weight[u] for u in piece))

    def _beside(self, u: int, weights: Sequence[float]) -> int | None:
        """Return the cell that a unit should join, None if it borders none.

        Cells not kept first, those with room next, then the longest border.
        """
        metres: dict[int, float] = {}
        for v, shared, _ in self.town.graph.around[u]:
            if self.part[v] >= 0:
                metres[self.part[v]] = metres.get(self.part[v], 0.0) + shared
        if not metres:
            return None
        room = self.town.band.max - self.town.graph.weight[u]
        return max(metres, key=lambda c: (c not in self.kept, weights[c] <= room, metres[c], -c))

    def _settle(self, units: Sequence[int], weight: int) -> None:
        """Make new cells of contiguous units."""
        band = self.town.band
        fitting = [k for k in band.counts(weight) if 1 <= k <= len(units)]
        guess = weight / band.target
        count = min(fitting, key=lambda k: abs(k - guess)) if fitting else weight // band.max
        count = max(1, min(count, len(units)))
        first = len(self.keys)
        for _ in range(count):
            self.keys.append(self._new_key())
        if count == 1:
            part = [0] * len(units)
        else:
            local = self.town.graph.within(units)
            aim = Aim(low=band.min, high=band.max)
            part = divide(local, count, aim, rng=self.rng, steps=200 * len(units))
        for u, p in zip(units, part, strict=True):
            self.part[u] = first + p

    def _new_key(self) -> str:
        self.new += 1
        return f"new-{self.new}"

    def repair(self) -> None:
        """Bring cells into the band, the furthest outside first, while that helps."""
        band = self.town.band
        for _ in range(ROUNDS):
            weights = self.weights()
            bad = [c for c in set(self.part) - self.kept if band.excess(weights[c])]
            bad.sort(key=lambda c: (-band.excess(weights[c]), c))
            helped = [self._help(c) for c in bad]
            if not any(helped):
                break
        self._go_home()

    def _help(self, cell: int) -> bool:
        """Bring one cell into the band with its neighbours' help; tell whether that did help."""
        weight = self.weights()[cell]
        if not self.town.band.excess(weight):
            return False
        best: _Trial | None = None
        for reach in REACH:
            cells, nodes = self._around(cell, reach)
            local = self.town.graph.within(nodes)
            start = [cells.index(self.part[u]) for u in nodes]
            now = self._judge(local, start, cells, nodes)
            ways = ["shift", "split" if weight > self.town.band.max else "dissolve"]
            for way in (w for w in ways for _ in range(TRIES)):
                trial = self._try(way, local, start, cells, nodes)
                if trial.excess < now.excess and (best is None or trial.rank < best.rank):
                    best = trial
            if best and best.excess == 0:
                break
        if best is None:
            return False
        fresh = len(self.keys)
        if any(p == best.new for p in best.part):
            self.keys.append(self._new_key())
        for u, p in zip(best.nodes, best.part, strict=True):
            self.part[u] = best.cells[p] if p < best.new else fresh
        return True

    def _around(self, cell: int, reach: int) -> tuple[list[int], list[int]]:
        """Return a cell and those within some steps of it, and all their units."""
        members = self.members()
        cells = [cell]
        ring = [cell]
        for _ in range(reach):
            near = {
                self.part[v] for c in ring for u in members[c] for v, _, _ in self._graph.around[u]
            }
            ring = sorted(near - set(cells) - self.kept)
            cells += ring
        return cells, sorted(u for c in cells for u in members[c])

    @property
    def _graph(self) -> Graph:
        return self.town.graph

    def _try(
        self, way: str, local: Graph, start: Sequence[int], cells: list[int], nodes: list[int]
    ) -> _Trial:
        """Return what comes of shifting borders after splitting or dissolving the first cell."""
        part = list(start)
        mine = [v for v, p in enumerate(part) if p == 0]
        if way == "split" and len(mine) > 1:
            half = sum(local.weight[v] for v in mine) / 2
            side = tree_cut(local, mine, lambda w: abs(w - half), rng=self.rng)
            # What was there before keeps the name.
            rest = sorted(set(mine) - set(side))
            if self._settled(side, nodes) > self._settled(rest, nodes):
                side = rest
            for v in side:
                part[v] = len(cells)
        if way == "dissolve":
            queue = deque(mine)
            for _ in range(len(mine) ** 2):
                if not queue:
                    break
                v = queue.popleft()
                near = [(m, -part[u]) for u, m, _ in local.around[v] if part[u]]
                if near:
                    part[v] = -max(near)[1]
                else:
                    queue.append(v)
        # An emptied cell takes no part.
        used = sorted(set(part))
        shrunk = [used.index(p) for p in part]
        number = {c: i for i, c in enumerate(used)}
        home = [number.get(p, -1) for p in self._home(cells, nodes)]
        held = [2 if u in self.pinned and self.home[u] >= 0 else 0 for u in nodes]
        division = Division(local, shrunk, len(used), home, held)
        steps = round(STEPS_PER_UNIT * self.town.options.effort * len(nodes))
        division.anneal(self._aim, steps=steps, rng=self.rng, start=0.05)
        return self._judge(local, [used[p] for p in division.part], cells, nodes)

    @property
    def _aim(self) -> Aim:
        return Aim(
            low=self.town.band.min, high=self.town.band.max, compact=0.1, cut=0.002, stay=1.5
        )

    def _settled(self, side: Sequence[int], nodes: Sequence[int]) -> int:
        return sum(1 + self._graph.weight[nodes[v]] for v in side if self.home[nodes[v]] >= 0)

    def _home(self, cells: list[int], nodes: list[int]) -> list[int]:
        number = {c: i for i, c in enumerate(cells)}
        return [number.get(self.home[u], -1) for u in nodes]

    def _judge(self, local: Graph, part: list[int], cells: list[int], nodes: list[int]) -> _Trial:
        count = len(cells) + 1
        division = Division(local, part, count, self._home(cells, nodes))
        band = self.town.band
        uprooted = any(
            u in self.pinned and h >= 0 and p != h
            for u, p, h in zip(nodes, part, self._home(cells, nodes), strict=True)
        )
        return _Trial(
            excess=sum(
                band.excess(w) for w, n in zip(division.weight, division.size, strict=True) if n
            )
            + (1e9 if uprooted else 0),
            away=division.away(),
            score=division.score(self._aim),
            part=part,
            cells=cells,
            nodes=nodes,
        )

    def _go_home(self) -> None:
        """Let each unit that moved for nothing move back."""
        band, graph = self.town.band, self._graph
        division = Division(graph, self.part, len(self.keys), self.home)
        while True:
            moved = 0
            for u, (p, h) in enumerate(zip(self.part, self.home, strict=True)):
                w = graph.weight[u]
                if (
                    p == h
                    or h < 0
                    or p in self.kept
                    or all(self.part[v] != h for v, _, _ in graph.around[u])
                    or band.excess(division.weight[p] - w) > band.excess(division.weight[p])
                    or band.excess(division.weight[h] + w) > band.excess(division.weight[h])
                    or not division.holds_without(u)
                ):
                    continue
                self.part[u] = h
                division.weight[p] -= w
                division.weight[h] += w
                moved += 1
            if not moved:
                break

    def groups(self, region_of: Mapping[int, Region]) -> list[Group]:
        """Return the cells, each with the region it mostly is of."""
        result = []
        for c, units in sorted(self.members().items()):
            number = {id(region_of[u]): region_of[u] for u in units}
            most = Counter(id(region_of[u]) for u in units).most_common(1)[0][0]
            result.append(Group(units, number[most], key=self.keys[c]))
        return result


@dataclass(frozen=True, slots=True)
class _Trial:
    """Hold one way to help a cell: `part[i]` of `nodes[i]` is an index in `cells`, `new` beyond."""

    excess: float
    away: float
    score: float
    part: list[int]
    cells: list[int]
    nodes: list[int]

    @property
    def new(self) -> int:
        return len(self.cells)

    @property
    def rank(self) -> tuple[float, float, float]:
        """Return what is compared: households outside the band, then those moved, then shape."""
        return self.excess, self.away, self.score
