"""Draw a community's cells."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from .exact import SMALL, Exact
from .fabric import weave
from .improve import Aim, Graph, divide, pieces
from .outcome import Group, Town, finish, town_of, units_of
from .plan import CellPlan
from .problem import Band, Building, Options, ProblemError, Street
from .regions import Region, pinches, split

STEPS_PER_UNIT = 300
"""Annealing steps offered per building at effort 1."""
CUT = 0.12
"""What a cut edge costs against a cell's compactness."""
BIG_UNITS = 6000
"""Regions above this many buildings are cut anew pair by pair only once."""
AGAIN = 4
"""How often a region that is outside the band without need is drawn once more."""
EQUAL = 0.01
"""How far from the ideal a part of a plain graph may be and still count as equal."""
SMALL_UNITS = 400
"""Regions up to this many buildings are cheap enough to be tried more than once."""


def draw_cells(
    buildings: Sequence[Building],
    streets: Sequence[Street] = (),
    *,
    band: Band | None = None,
    seed: int = 0,
    options: Options | None = None,
) -> CellPlan:
    """Draw contiguous, compact cells of households within a band.

    Band defaults to 300-500. The same input and seed give the same cells. What cannot be in the
    band is drawn all the same, with its reason. Raises ProblemError only for input without meaning:
    ids given twice or locked twice, coordinates out of range, negative dwellings.

    Buildings become units with Voronoi patches (`fabric`), parts of town too small are joined
    (`regions`), each region is seeded by METIS and annealed (`improve`), then drawn (`shapes`).
    """
    started = time.perf_counter()
    band, options = band or Band(), options or Options()
    fabric = weave(buildings, streets, options)
    locked = _locked_units(town_of(buildings, fabric, (), band, options))
    held = {u for units in locked for u in units}
    regions, bridges = split(fabric, band=band, options=options, locked=held)
    town = town_of(buildings, fabric, bridges, band, options)

    groups = [Group(units, None) for units in locked]
    for at, region in enumerate(regions):
        groups += divide_region(town, region, random.Random(f"{seed}/{at}"))
    return finish(town, groups, seed=seed, started=started)


def divide_graph(
    weights: Sequence[int],
    edges: Sequence[tuple[int, int]],
    *,
    parts: int,
    seed: int = 0,
    effort: float = 1.0,
) -> list[int]:
    """Return a part number for each node: contiguous parts of equal weight with few cut edges.

    Edges name nodes by index. Equal means within 1 % of the ideal; only then do cut edges count.
    Of several tries the best is kept; a graph of up to 36 nodes is then searched exactly, as far as
    a fixed budget goes. A graph in more than one piece gives each piece a share of the parts.
    Raises ProblemError if `parts` is below the number of pieces or above that of nodes.
    """
    around: list[list[tuple[int, float, float]]] = [[] for _ in weights]
    for a, b in {(min(e), max(e)) for e in edges if e[0] != e[1]}:
        around[a].append((b, 0.0, 1.0))
        around[b].append((a, 0.0, 1.0))
    for links in around:
        links.sort()
    flat = [0.0] * len(weights)
    graph = Graph(weight=list(weights), area=flat, outline=flat, around=around)
    bits = pieces(graph, range(len(weights)))
    if not len(bits) <= parts <= len(weights):
        raise ProblemError(f"{parts} parts of {len(weights)} nodes in {len(bits)} pieces")
    heavy = [sum(weights[v] for v in bit) for bit in bits]
    share = [1] * len(bits)
    for _ in range(parts - len(bits)):
        open_bits = [i for i, bit in enumerate(bits) if share[i] < len(bit)]
        share[max(open_bits, key=lambda i: (heavy[i] / share[i], -i))] += 1

    ideal = sum(weights) / parts
    slack = max(EQUAL * ideal, 1e-6)
    result = [0] * len(weights)
    first = 0
    for bit, count, weight in zip(bits, share, heavy, strict=True):
        middle = weight / count or 1.0
        aim = Aim(
            low=max(middle - slack, 1e-9), high=middle + slack, compact=0.0, cut=0.5 / len(bit)
        )
        local = graph.within(bit)
        rng = random.Random(f"{seed}/{first}")
        tries = max(2, min(20, 6000 // len(bit)))
        steps = round(effort * max(200, 2 * STEPS_PER_UNIT) * len(bit))
        part = divide(local, count, aim, rng=rng, steps=steps, tries=tries)
        if 1 < count < len(bit) <= SMALL:
            ties = [(v, u) for v, links in enumerate(local.around) for u, _, _ in links if u > v]
            search = Exact(local.weight, ties, parts=count, slack=EQUAL * middle)
            part = search.solve(part)
        for v, p in zip(bit, part, strict=True):
            result[v] = first + p
        first += count
    return result


def _locked_units(town: Town) -> list[list[int]]:
    taken: set[int] = set()
    result = []
    for cell in town.options.locked:
        units = set(units_of(town, sorted(cell, key=repr), "locked building"))
        if units & taken:
            raise ProblemError("a building is locked in two cells")
        taken |= units
        if units:
            result.append(sorted(units))
    return result


def divide_region(town: Town, region: Region, rng: random.Random) -> list[Group]:
    """Return the cells of one region."""
    graph, band, options = town.graph, town.band, town.options
    units = list(region.units)
    seeds = set(units_of(town, options.seeds, "seed")).intersection(units)
    counts = [1] if region.block else _counts(region.households, band, len(units), len(seeds))
    if counts == [1]:
        return [Group(units, region)]
    local = graph.within(units)
    aim = Aim(low=band.min, high=band.max, cut=CUT)
    held = [int(u in seeds) for u in units] if seeds else None
    rounds = round((2 if len(units) <= BIG_UNITS else 1) * min(options.effort, 2))
    tries = 3 if len(units) <= SMALL_UNITS else 1
    steps = round(STEPS_PER_UNIT * options.effort * len(units))
    proofs = pinches(local, band=band)
    best: tuple[float, list[list[int]]] | None = None
    wanted = counts if not proofs else counts[:1]
    if len(units) <= BIG_UNITS:
        # What chance left outside the band by a few households, another chance brings in.
        wanted = wanted + counts[:1] * AGAIN
    for count in wanted:
        cells: list[list[int]] = [[] for _ in range(count)]
        part = divide(
            local, count, aim, rng=rng, steps=steps, tries=tries, rounds=rounds, held=held
        )
        for unit, p in zip(units, part, strict=True):
            cells[p].append(unit)
        excess = [band.excess(sum(graph.weight[u] for u in cell)) for cell in cells]
        missed = sum(excess)
        if best is None or missed < best[0]:
            best = (missed, cells)
        if sum(one > 0 for one in excess) <= len(proofs):
            break
    assert best is not None
    groups = [Group(cell, region) for cell in best[1]]
    for gate, forced in proofs:
        behind = {units[u] for u in forced}
        weight = sum(graph.weight[u] for u in behind)
        # Each proof excuses one cell: the one outside the band that holds most of what is forced.
        outside = [g for g in groups if not band.holds(sum(graph.weight[u] for u in g.units))]
        shares = [sum(graph.weight[u] for u in behind & set(g.units)) for g in outside]
        if outside and max(shares) > 0:
            outside[shares.index(max(shares))].pinch = (
                weight - local.weight[gate],
                local.weight[gate],
            )
    return groups


def _counts(households: int, band: Band, units: int, seeds: int) -> list[int]:
    """Return how many cells to try: those that fit the band, nearest its middle first.

    Numbers with a cell for each seed go before others.

    Blocks of flats may not fit together in the first number but in another. Where none fits, the
    number that is outside by the fewest households.
    """
    fitting = [k for k in band.counts(households) if 1 <= k <= units]
    if fitting:
        guess = households / band.target
        return sorted(fitting, key=lambda k: (max(0, seeds - k), abs(k - guess), k))[:3]
    low = max(1, households // band.max)
    best = min((low, low + 1), key=lambda k: k * band.excess(households / k))
    return [max(1, min(best, units))]
