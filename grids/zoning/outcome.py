"""Turn groups of units into a plan: codes, shapes, reasons, measures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from shapely.geometry import MultiPolygon, Polygon

from . import shapes
from .fabric import Fabric
from .improve import Graph, pieces, roundness
from .plan import Cell, CellKey, CellPlan, Measures, Note, Notice, Numbers, Reason
from .problem import Band, Building, BuildingId, Options, ProblemError
from .regions import Bridge, Region


@dataclass(slots=True)
class Group:
    """Hold the units of one cell, the region they are of (None: locked), and a pinch if proven."""

    units: list[int]
    region: Region | None
    pinch: tuple[int, int] | None = None
    """Households that must share a cell, and those of the building they all hang on."""
    key: CellKey = None


@dataclass(frozen=True, slots=True)
class Town:
    """Hold everything known of a town while its cells are being made."""

    buildings: Sequence[Building]
    fabric: Fabric
    graph: Graph
    bridges: Sequence[Bridge]
    band: Band
    options: Options
    unit_of: Mapping[BuildingId, int]


def town_of(
    buildings: Sequence[Building],
    fabric: Fabric,
    bridges: Sequence[Bridge],
    band: Band,
    options: Options,
) -> Town:
    """Return a town with the graph of its units and bridges."""
    unit_of = {buildings[i].id: u for u, members in enumerate(fabric.of_unit) for i in members}
    graph = graph_of(fabric, bridges, options)
    return Town(buildings, fabric, graph, bridges, band, options, unit_of)


def graph_of(fabric: Fabric, bridges: Sequence[Bridge], options: Options) -> Graph:
    """Return the neighbour graph of units, bridges included."""
    around: list[list[tuple[int, float, float]]] = [[] for _ in fabric.of_unit]
    cost = np.maximum(1 + (fabric.cost - 1) * options.street_weight, 0.05)
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


def units_of(town: Town, ids: Sequence[BuildingId], what: str) -> list[int]:
    """Return the units of buildings named in an option; refuse one that is not there."""
    unknown = [b for b in ids if b not in town.unit_of]
    if unknown:
        raise ProblemError(f"{what} {unknown[0]!r} is not among the buildings")
    return [town.unit_of[b] for b in ids]


def finish(town: Town, groups: Sequence[Group], *, seed: int, started: float) -> CellPlan:
    """Return the plan: shapes drawn, cells numbered from north to south, all measured."""
    outlines = shapes.draw(
        town.fabric, [g.units for g in groups], town.bridges, margin_m=town.options.margin_m
    )
    order = sorted(range(len(groups)), key=lambda g: _reading_order(town.fabric, groups[g].units))
    seeds = Counter(units_of(town, town.options.seeds, "seed"))
    cells = tuple(
        _cell(code, town, groups[g], outlines[g], seeds) for code, g in enumerate(order, start=1)
    )
    measures = _measures(cells, town.fabric, groups, time.perf_counter() - started)
    return CellPlan(cells=cells, measures=measures, band=town.band, seed=seed)


def _reading_order(fabric: Fabric, units: Sequence[int]) -> tuple[int, float]:
    """Return a key that sorts cells in rows of 500 m from north, each from west to east."""
    x, y = fabric.xy[list(units)].mean(axis=0)
    return (round(-float(y) / 500), float(x))


def _cell(
    code: int,
    town: Town,
    group: Group,
    outline: Polygon | MultiPolygon,
    seeds: Counter[int],
) -> Cell:
    units, fabric, band = group.units, town.fabric, town.band
    households = sum(town.graph.weight[u] for u in units)
    ids: tuple[BuildingId, ...] = tuple(
        town.buildings[i].id for u in units for i in sorted(fabric.of_unit[u])
    )
    inside = set(units)
    joins = [b.metres for b in town.bridges if b.one in inside and b.two in inside]
    notes = []
    if isinstance(outline, MultiPolygon):
        notes.append(Note(Notice.PARTS, {"parts": len(outline.geoms)}))
    elif outline.interiors:
        notes.append(Note(Notice.ENCLOSES))
    if joins:
        notes.append(Note(Notice.JOINED, {"metres": round(max(joins))}))
    homes = sum(seeds[u] for u in units)
    if homes > 1:
        notes.append(Note(Notice.SEEDS, {"seeds": homes}))
    reason, numbers = _why(households, group, town)
    shape = fabric.plane.to_degrees(outline)
    assert isinstance(shape, Polygon | MultiPolygon)
    return Cell(
        code=code,
        households=households,
        buildings=ids,
        contiguous=len(pieces(town.graph, units)) == 1,
        polsby_popper=roundness(outline.area, outline.length),
        polygon=shape,
        in_band=band.holds(households),
        reason=reason,
        numbers=numbers,
        notes=tuple(notes),
        key=group.key,
    )


def _why(households: int, group: Group, town: Town) -> tuple[Reason | None, Numbers]:
    """Return why a cell is outside the band, with the numbers that show it."""
    band, region = town.band, group.region
    if band.holds(households):
        return None, {}
    if region is None:
        return Reason.LOCKED, {"households": households}
    largest = max((town.graph.weight[u] for u in group.units), default=0)
    if largest > band.max:
        return Reason.BLOCK, {"largest": largest, "max": band.max}
    if not band.counts(region.households):
        numbers: dict[str, float] = {"households": region.households, "min": band.min}
        if region.nearest_m is not None:
            numbers["nearest_m"] = round(region.nearest_m)
        if region.households >= band.min:
            return Reason.TOWN_PART, numbers
        return (Reason.BARRIER if region.barred else Reason.HAMLET), numbers
    if group.pinch:
        forced, gate = group.pinch
        return Reason.PINCHED, {"forced": forced, "gate": gate, "max": band.max}
    return Reason.UNSOLVED, {}


def _measures(
    cells: Sequence[Cell], fabric: Fabric, groups: Sequence[Group], seconds: float
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
