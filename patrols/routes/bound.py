"""A proven lower bound on the cost of all tours together."""

from __future__ import annotations

import math

import networkx as nx

from patrols.routes.problem import SLACK, Problem
from patrols.routes.ways import Ways

_SCALE = 1024


def lower_bound(problem: Problem, tasks: list[int], ways: Ways) -> float:
    """Return what no set of tours can cost less than.

    Golden and Wong's matching bound (1981): what is walked makes every node even, and enough
    tours leave the depot to carry all demand; the ways that must be added are at least a
    cheapest matching of odd nodes and of the depot's missing ends.
    """
    served = sum(problem.edges[number].cost for number in tasks)
    degree = [0] * problem.nodes
    for number in tasks:
        degree[problem.edges[number].u] += 1
        degree[problem.edges[number].v] += 1
    tours = 1
    if problem.capacity:
        load = sum(problem.edges[number].demand for number in tasks)
        tours = max(tours, math.ceil(load / problem.capacity - SLACK))
    if problem.limit:
        tours = max(tours, math.ceil(served / problem.limit - SLACK))
    depot = problem.depot
    missing = max(0, 2 * tours - degree[depot])
    if (missing + degree[depot]) % 2:
        missing += 1
    odd = [node for node, count in enumerate(degree) if count % 2 and node != depot]
    leaving = [
        edge.cost for edge in problem.edges if depot in (edge.u, edge.v) and edge.u != edge.v
    ]
    if missing and not leaving:
        return served
    graph: nx.Graph[tuple[str, int]] = nx.Graph()
    for at, a in enumerate(odd):
        for b in odd[at + 1 :]:
            _weigh(graph, ("odd", a), ("odd", b), float(ways.metres[a, b]))
        for end in range(missing):
            _weigh(graph, ("odd", a), ("depot", end), float(ways.metres[depot, a]))
    # An end that no odd node takes goes out and back: at least the cheapest edge there. Where
    # parity says that some end goes to an odd node, it is the last.
    free = missing - len(odd) % 2
    for end in range(free):
        _weigh(graph, ("depot", end), ("free", end), min(leaving))
        for other in range(end):
            _weigh(graph, ("free", end), ("free", other), 0.0)
    matching = nx.min_weight_matching(graph)
    if 2 * len(matching) < graph.number_of_nodes():
        return served
    return served + sum(float(graph.edges[pair]["metres"]) for pair in matching)


def _weigh(
    graph: nx.Graph[tuple[str, int]], a: tuple[str, int], b: tuple[str, int], metres: float
) -> None:
    # Whole numbers make the matching exact: networkx then checks its own proof.
    graph.add_edge(a, b, weight=round(metres * _SCALE), metres=metres)
