"""Ours against METIS alone and against GerryChain's ReCom: same graph, same parts, same run."""

from __future__ import annotations

import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import pymetis

from grids.zoning.draw import divide_region
from grids.zoning.fabric import weave
from grids.zoning.improve import Graph, pieces
from grids.zoning.outcome import Group, finish, town_of
from grids.zoning.problem import Band, Building, Options, Street
from grids.zoning.regions import Region, split

Rival = Callable[[Graph, int, Band, int], list[int]]


def metis(graph: Graph, count: int, band: Band, seed: int, *, loose: bool = True) -> list[int]:
    """Return METIS's own parts, edges unweighted; `loose` lets it use the whole band."""
    starts, ends = [0], []
    for links in graph.around:
        ends += [u for u, _, _ in links]
        starts.append(len(ends))
    middle = sum(graph.weight) / count
    free = round(1000 * 0.8 * min(band.max / middle - 1, 1 - band.min / middle)) if loose else 30
    _, part = pymetis.part_graph(
        count,
        pymetis.CSRAdjacency(adj_starts=starts, adjacent=ends),
        vweights=[int(w) for w in graph.weight],
        recursive=False,
        options=pymetis.Options(seed=seed, contig=1, ufactor=max(1, free)),
    )
    return [int(p) for p in part]


def recom(graph: Graph, count: int, band: Band, seed: int, *, steps: int = 60) -> list[int]:
    """Return the ReCom plan with the fewest cut edges out of a chain; METIS's parts start it."""
    import networkx as nx
    from gerrychain import Graph as Chained
    from gerrychain import MarkovChain, Partition, accept, updaters
    from gerrychain.proposals import recom as proposal
    from gerrychain.tree import bipartition_tree

    plain: Any = nx.Graph()
    for v, links in enumerate(graph.around):
        plain.add_node(v, pop=graph.weight[v])
        plain.add_edges_from((v, u) for u, _, _ in links)
    middle = sum(graph.weight) / count
    random.seed(seed)
    start = Partition(
        Chained.from_networkx(plain),
        dict(enumerate(metis(graph, count, band, seed))),
        updaters={"pop": updaters.Tally("pop"), "cut_edges": updaters.cut_edges},
    )
    propose = partial(
        proposal,
        pop_col="pop",
        pop_target=middle,
        epsilon=min(band.max / middle - 1, 1 - band.min / middle),
        node_repeats=0,
        # Lumpy buildings: a pair that can't be balanced is given up, or a step may take minutes.
        bipartition_tree_fn=partial(bipartition_tree, max_attempts=50, allow_pair_reselection=True),
    )
    best: tuple[int, list[int]] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for at, state in enumerate(MarkovChain(propose, [], accept.always_accept, start, steps)):
            if at and (best is None or len(state["cut_edges"]) < best[0]):
                named: dict[Any, Any] = {
                    state.graph.original_nx_node_id_for_internal_node_id(v): p
                    for v, p in state.assignment.items()
                }
                best = len(state["cut_edges"]), [named[v] for v in range(len(graph.weight))]
    assert best is not None
    return best[1]


Report = Callable[[str, dict[str, Any]], None]


def compare(
    buildings: Sequence[Building],
    streets: Sequence[Street],
    band: Band,
    *,
    seed: int = 0,
    report: Report = lambda name, measures: None,
) -> dict[str, dict[str, Any]]:
    """Return the measures of each way to cut the same regions into as many parts.

    All are drawn by the same code. Where a rival finds nothing, its start is told as `failed`.
    """
    options = Options()
    fabric = weave(buildings, streets, options)
    regions, bridges = split(fabric, band=band, options=options, locked=frozenset())
    town = town_of(buildings, fabric, bridges, band, options)
    started = time.perf_counter()
    ours = [
        divide_region(town, region, random.Random(f"{seed}/{at}"))
        for at, region in enumerate(regions)
    ]
    rivals: dict[str, Rival] = {
        "metis": metis,
        "metis, 3 % imbalance": partial(metis, loose=False),
    }
    if find_spec("gerrychain"):
        rivals["recom"] = recom
    result = {"ours": _measured(town, [g for groups in ours for g in groups], seed, started)}
    report("ours", result["ours"])
    for name, rival in rivals.items():
        started = time.perf_counter()
        groups: list[Group] = []
        failed = 0
        for region, own in zip(regions, ours, strict=True):
            try:
                groups += _by(rival, town.graph, region, len(own), band, seed)
            except Exception as error:  # noqa: BLE001 a rival's failure is a figure too
                print(f"{name}: {error!r}", file=sys.stderr)
                failed += 1
                groups += own
        result[name] = {**_measured(town, groups, seed, started), "failed": failed}
        report(name, result[name])
    return result


def _by(
    rival: Rival, graph: Graph, region: Region, count: int, band: Band, seed: int
) -> list[Group]:
    units = list(region.units)
    if count == 1:
        return [Group(units, region)]
    cells: dict[int, list[int]] = {}
    for u, p in zip(units, rival(graph.within(units), count, band, seed), strict=True):
        cells.setdefault(p, []).append(u)
    return [Group(cell, region) for cell in cells.values()]


def _measured(town: Any, groups: list[Group], seed: int, started: float) -> dict[str, Any]:
    seconds = time.perf_counter() - started
    plan = finish(town, groups, seed=seed, started=started)
    measures = plan.measures
    return {
        "cells": measures.cells,
        "cut_edges": measures.cut_edges,
        "polsby_popper": round(measures.mean_polsby_popper, 4),
        "in_band": sum(cell.in_band for cell in plan.cells),
        "contiguous": sum(len(pieces(town.graph, g.units)) == 1 for g in groups),
        "seconds": round(seconds, 2),
    }
