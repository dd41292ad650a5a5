"""Draw a community's cells."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely.geometry import MultiPolygon, Polygon

from . import shapes
from .fabric import Fabric, weave
from .improve import Aim, Graph, divide, pieces, roundness
from .plan import Cell, CellPlan, Measures, Reason
from .problem import Band, Building, BuildingId, Options, ProblemError, Street
from .regions import Bridge, Region, pinches, split

STEPS_PER_UNIT = 200
"""Annealing steps offered per building at effort 1."""
SMALL_UNITS = 400
"""Regions up to this many buildings are cheap enough to be tried more than once."""


@dataclass(slots=True)
class Group:
    """Hold the units of one cell, the region they are of (None: locked), and a pinch if proven."""

    units: list[int]
    region: Region | None
    pinch: str = ""


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
    fabric = weave(buildings, streets, margin_m=options.margin_m)
    locked = _locked_units(buildings, fabric, options)
    held = {u for units in locked for u in units}
    regions, bridges = split(fabric, band=band, options=options, locked=held)
    graph = _graph(fabric, bridges, band, options)

    groups: list[Group] = [Group(sorted(units), None) for units in locked]
    for at, region in enumerate(regions):
        rng = random.Random(f"{seed}/{at}")
        groups += _divide(graph, region, band, options, rng)
    outlines = shapes.draw(fabric, [g.units for g in groups], bridges, margin_m=options.margin_m)

    order = sorted(range(len(groups)), key=lambda g: _reading_order(fabric, groups[g].units))
    cells = tuple(
        _cell(code, buildings, fabric, graph, groups[g], outlines[g], band, bridges)
        for code, g in enumerate(order, start=1)
    )
    measures = _measures(cells, fabric, groups, time.perf_counter() - started)
    return CellPlan(cells=cells, measures=measures, band=band, seed=seed)


def divide_graph(
    weights: Sequence[int],
    edges: Sequence[tuple[int, int]],
    *,
    parts: int,
    seed: int = 0,
    effort: float = 1.0,
) -> list[int]:
    """Return a part number for each node: contiguous parts of equal weight with few cut edges.

    Edges name nodes by index. Equal means within 0.5 % of the ideal; only then do cut edges count.
    Of several tries the best is kept. A graph in more than one piece gives each piece a share of
    the parts. Raises ProblemError if `parts` is below the number of pieces or above that of nodes.
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
    slack = max(0.005 * ideal, 1e-6)
    result = [0] * len(weights)
    first = 0
    for bit, count, weight in zip(bits, share, heavy, strict=True):
        middle = weight / count or 1.0
        aim = Aim(
            low=max(middle - slack, 1e-9), high=middle + slack, compact=0.0, cut=0.5 / len(bit)
        )
        local = graph.within(bit)
        rng = random.Random(f"{seed}/{first}")
        tries = max(2, min(60, 6000 // len(bit)))
        steps = round(effort * max(200, 2 * STEPS_PER_UNIT) * len(bit))
        part = divide(local, count, aim, rng=rng, steps=steps, tries=tries)
        for v, p in zip(bit, part, strict=True):
            result[v] = first + p
        first += count
    return result


def _locked_units(
    buildings: Sequence[Building], fabric: Fabric, options: Options
) -> list[list[int]]:
    place = {b.id: i for i, b in enumerate(buildings)}
    unit_of = {i: u for u, members in enumerate(fabric.of_unit) for i in members}
    taken: set[int] = set()
    result = []
    for cell in options.locked:
        unknown = [b for b in cell if b not in place]
        if unknown:
            raise ProblemError(f"locked building {unknown[0]!r} is not among the buildings")
        units = {unit_of[place[b]] for b in cell}
        if units & taken:
            raise ProblemError("a building is locked in two cells")
        taken |= units
        if units:
            result.append(sorted(units))
    return result


def _graph(fabric: Fabric, bridges: Sequence[Bridge], band: Band, options: Options) -> Graph:
    around: list[list[tuple[int, float, float]]] = [[] for _ in fabric.of_unit]
    cost = 1 + (fabric.cost - 1) * min(options.street_weight, 1.0)
    for (a, b), metres, price in zip(
        fabric.pairs.tolist(), fabric.border.tolist(), cost.tolist(), strict=True
    ):
        around[a].append((b, metres, price))
        around[b].append((a, metres, price))
    for bridge in bridges:
        around[bridge.one].append((bridge.two, 0.0, 0.1))
        around[bridge.two].append((bridge.one, 0.0, 0.1))
    return Graph(
        weight=[int(h) for h in fabric.households],
        area=[float(a) for a in fabric.area],
        outline=[float(m) for m in fabric.outline],
        around=around,
    )


def _divide(
    graph: Graph, region: Region, band: Band, options: Options, rng: random.Random
) -> list[Group]:
    """Return the cells of one region."""
    units = list(region.units)
    counts = [1] if region.block else _counts(region.households, band, len(units))
    if counts == [1]:
        return [Group(units, region)]
    local = graph.within(units)
    aim = Aim(low=band.min, high=band.max, cut=0.01 * max(options.street_weight, 0.2))
    tries = 3 if len(units) <= SMALL_UNITS else 1
    steps = round(STEPS_PER_UNIT * options.effort * len(units))
    proofs = pinches(local, band=band)
    best: tuple[float, list[list[int]]] | None = None
    for count in counts if not proofs else counts[:1]:
        cells: list[list[int]] = [[] for _ in range(count)]
        for unit, p in zip(
            units, divide(local, count, aim, rng=rng, steps=steps, tries=tries), strict=True
        ):
            cells[p].append(unit)
        missed = sum(band.excess(sum(graph.weight[u] for u in cell)) for cell in cells)
        if best is None or missed < best[0]:
            best = (missed, cells)
        if missed == 0:
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
                f"{weight - local.weight[gate]} households hang on the rest only by a building "
                f"of {local.weight[gate]}"
            )
    return groups


def _counts(households: int, band: Band, units: int) -> list[int]:
    """Return how many cells to try: those that fit the band, nearest its middle first.

    Blocks of flats may not fit together in the first number but in another. Where none fits, the
    number that is outside by the fewest households.
    """
    fitting = [k for k in band.counts(households) if 1 <= k <= units]
    if fitting:
        guess = households / band.target
        return sorted(fitting, key=lambda k: (abs(k - guess), k))[:3]
    low = max(1, households // band.max)
    best = min((low, low + 1), key=lambda k: k * band.excess(households / k))
    return [max(1, min(best, units))]


def _reading_order(fabric: Fabric, units: Sequence[int]) -> tuple[int, float]:
    """Return a key that sorts cells in rows of 500 m from north, each from west to east."""
    x, y = fabric.xy[list(units)].mean(axis=0)
    return (round(-float(y) / 500), float(x))


def _cell(
    code: int,
    buildings: Sequence[Building],
    fabric: Fabric,
    graph: Graph,
    group: Group,
    outline: Polygon | MultiPolygon,
    band: Band,
    bridges: Sequence[Bridge],
) -> Cell:
    units = group.units
    households = sum(graph.weight[u] for u in units)
    ids: tuple[BuildingId, ...] = tuple(
        buildings[i].id for u in units for i in sorted(fabric.of_unit[u])
    )
    inside = set(units)
    joins = [b for b in bridges if b.one in inside and b.two in inside]
    warnings = []
    if isinstance(outline, MultiPolygon):
        warnings.append(f"the shape is in {len(outline.geoms)} parts")
    elif outline.interiors:
        warnings.append("the cell encloses another")
    if joins:
        warnings.append(f"joined over a gap of {max(b.metres for b in joins):.0f} m")
    reason, detail = _why(households, group, band)
    shape = fabric.plane.to_degrees(outline)
    assert isinstance(shape, Polygon | MultiPolygon)
    return Cell(
        code=code,
        households=households,
        buildings=ids,
        contiguous=len(pieces(graph, units)) == 1,
        polsby_popper=roundness(outline.area, outline.length),
        polygon=shape,
        in_band=band.holds(households),
        reason=reason,
        detail=detail,
        warnings=tuple(warnings),
    )


def _why(households: int, group: Group, band: Band) -> tuple[Reason | None, str]:
    """Return why a cell is outside the band, for a program and for a person."""
    if band.holds(households):
        return None, ""
    region = group.region
    if region is None:
        return Reason.LOCKED, f"the locked cell has {households} households"
    if region.block:
        return Reason.BLOCK, f"one building has {households} households, above {band.max}"
    if not band.counts(region.households):
        way = (
            f"the nearest others are {region.nearest_m:.0f} m away"
            if region.nearest_m is not None
            else "no others are in reach"
        )
        if region.households < band.min:
            return Reason.HAMLET, f"only {region.households} households here, and {way}"
        return (
            Reason.TOWN_PART,
            f"no number of cells fits {region.households} households, and {way}",
        )
    if group.pinch:
        return Reason.PINCHED, group.pinch
    return Reason.UNSOLVED, "the search found no division with this cell in the band"


def _measures(
    cells: Sequence[Cell],
    fabric: Fabric,
    groups: Sequence[Group],
    seconds: float,
) -> Measures:
    cell_of = np.zeros(len(fabric.of_unit), dtype=np.int64)
    for g, group in enumerate(groups):
        cell_of[group.units] = g
    cut = int((cell_of[fabric.pairs[:, 0]] != cell_of[fabric.pairs[:, 1]]).sum())
    feasible = [c.households for c in cells if c.feasible]
    mean = sum(feasible) / len(feasible) if feasible else 0.0
    scores = [c.polsby_popper for c in cells]
    tally = Counter(c.in_band for c in cells)
    return Measures(
        cells=len(cells),
        feasible_cells=len(feasible),
        households=sum(c.households for c in cells),
        buildings=sum(len(c.buildings) for c in cells),
        share_in_band=tally[True] / len(feasible) if feasible else 1.0,
        share_in_band_all=tally[True] / len(cells) if cells else 1.0,
        mean_polsby_popper=sum(scores) / len(scores) if scores else 0.0,
        min_polsby_popper=min(scores, default=0.0),
        contiguous_share=sum(c.contiguous for c in cells) / len(cells) if cells else 1.0,
        cut_edges=cut,
        neighbours=len(fabric.pairs),
        deviation=max((abs(h - mean) / mean for h in feasible), default=0.0) if mean else 0.0,
        seconds=round(seconds, 3),
    )
