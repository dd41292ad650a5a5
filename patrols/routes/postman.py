"""One closed walk over every required edge: the Chinese postman's tour.

Where the required edges hang together the walk is the shortest there is (Edmonds and Johnson
1973): the odd nodes are matched over shortest ways at least cost, and an Eulerian circuit walks
it all. Where they hang together only by other edges (the rural postman's problem, NP-hard) their
parts are first tied by a shortest tree, which is at most half as long again as needed
(Frederickson 1979).
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import networkx as nx

from patrols.routes.problem import Problem, Step, Tour
from patrols.routes.ways import Ways

_SCALE = 1024


def parts(problem: Problem) -> list[list[int]]:
    """Return the required edges that hang together by any edges, the longest part first."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(problem.nodes))
    graph.add_edges_from((edge.u, edge.v) for edge in problem.edges)
    part_of = {}
    for number, nodes in enumerate(nx.connected_components(graph)):
        part_of.update(dict.fromkeys(nodes, number))
    found: dict[int, list[int]] = {}
    for number in problem.required:
        found.setdefault(part_of[problem.edges[number].u], []).append(number)
    return sorted(
        found.values(),
        key=lambda part: (-sum(problem.edges[number].cost for number in part), part[0]),
    )


def tour(problem: Problem, ways: Ways | None = None, *, required: list[int] | None = None) -> Tour:
    """Return one closed walk from the depot over the required edges, limits aside.

    They must hang together, by whatever edges, and with the depot; raises ValueError otherwise.
    """
    ways = ways or Ways(problem.nodes, problem.edges)
    wanted = problem.required if required is None else required
    if not wanted:
        return Tour((), 0.0, 0.0)
    walks: Counter[int] = Counter(wanted)
    for a, b in _ties(problem, wanted, ways):
        walks.update(step.edge for step in ways.steps(a, b))
    degree: Counter[int] = Counter()
    for number, times in walks.items():
        degree[problem.edges[number].u] += times
        degree[problem.edges[number].v] += times
    odd = sorted(node for node, count in degree.items() if count % 2)
    for a, b in matched(problem, odd, ways):
        walks.update(step.edge for step in ways.steps(a, b))
    steps = _circuit(problem, walks, set(wanted))
    cost = sum(problem.edges[step.edge].cost for step in steps)
    return Tour(tuple(steps), cost, sum(problem.edges[number].demand for number in wanted))


def _ties(problem: Problem, wanted: list[int], ways: Ways) -> list[tuple[int, int]]:
    """Return pairs of nodes whose ways tie the required parts, and the depot, together."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_node(problem.depot)
    graph.add_edges_from((problem.edges[n].u, problem.edges[n].v) for n in wanted)
    islands = [sorted(nodes) for nodes in nx.connected_components(graph)]
    if len(islands) == 1:
        return []
    whole: nx.Graph[int] = nx.Graph()
    for (i, one), (j, other) in combinations(enumerate(islands), 2):
        block = ways.metres[one][:, other]
        at, to = divmod(int(block.argmin()), len(other))
        if block[at, to] < float("inf"):
            whole.add_edge(i, j, weight=float(block[at, to]), ends=(one[at], other[to]))
    if whole.number_of_nodes() < len(islands) or not nx.is_connected(whole):
        raise ValueError("the required edges do not hang together with the depot")
    tree = nx.minimum_spanning_tree(whole)
    return [tree.edges[pair]["ends"] for pair in tree.edges]


def matched(problem: Problem, odd: list[int], ways: Ways) -> list[tuple[int, int]]:
    """Return pairs of nodes whose ways together are shortest and make every odd node even.

    Ways through a node that alone ties two blocks of the network together can be told apart
    there: each block is matched for itself, and what is odd in it once more at that node. Dead
    ends, of which towns are full, are blocks of one edge.
    """
    graph: nx.Graph[int] = nx.Graph()
    graph.add_edges_from((edge.u, edge.v) for edge in problem.edges if edge.u != edge.v)
    # The stubs say lists of sets; they are sets.
    found: Any = nx.biconnected_components(graph)
    blocks: list[list[int]] = [sorted(block) for block in found]
    blocks_of: dict[int, list[int]] = {}
    for number, block in enumerate(blocks):
        for node in block:
            blocks_of.setdefault(node, []).append(number)
    left = dict.fromkeys(odd, 1)
    pairs: list[tuple[int, int]] = []
    for number, gate in _leaves_first(blocks, blocks_of):
        here = [node for node in blocks[number] if left.get(node) and node != gate]
        for node in here:
            left[node] = 0
        if len(here) % 2:
            if gate is None:
                raise ValueError("the required edges do not hang together")
            left[gate] = 1 - left.get(gate, 0)
            here.append(gate)
        pairs += _pairs(here, ways)
    return pairs


def _leaves_first(
    blocks: list[list[int]], blocks_of: dict[int, list[int]]
) -> list[tuple[int, int | None]]:
    """Return each block with the node towards its tree's root, every block before its parent."""
    seen: set[int] = set()
    order: list[tuple[int, int | None]] = []
    for root in range(len(blocks)):
        if root in seen:
            continue
        seen.add(root)
        at = len(order)
        order.append((root, None))
        while at < len(order):
            number, gate = order[at]
            at += 1
            for node in blocks[number]:
                if node == gate:
                    continue
                for other in blocks_of[node]:
                    if other not in seen:
                        seen.add(other)
                        order.append((other, node))
    return order[::-1]


def _pairs(odd: list[int], ways: Ways) -> list[tuple[int, int]]:
    """Match an even number of nodes at least cost, any with any."""
    if len(odd) <= 2:
        return [(odd[0], odd[1])] if odd else []
    graph: nx.Graph[int] = nx.Graph()
    for a, b in combinations(sorted(odd), 2):
        # Whole numbers make the matching exact: networkx then checks its own proof.
        graph.add_edge(a, b, weight=round(float(ways.metres[a, b]) * _SCALE))
    return sorted((min(pair), max(pair)) for pair in nx.min_weight_matching(graph))


def _circuit(problem: Problem, walks: Counter[int], wanted: set[int]) -> list[Step]:
    """Walk every edge as often as told, from the depot back to it (Hierholzer)."""
    leaving: dict[int, list[tuple[int, int, bool]]] = {}
    for number in sorted(walks):
        edge = problem.edges[number]
        for copy in range(walks[number]):
            leaving.setdefault(edge.u, []).append((number, copy, True))
            leaving.setdefault(edge.v, []).append((number, copy, False))
    used: set[tuple[int, int]] = set()
    trail: list[tuple[int, tuple[int, bool] | None]] = [(problem.depot, None)]
    circuit: list[tuple[int, bool]] = []
    while trail:
        node, came = trail[-1]
        ahead = leaving.get(node, [])
        while ahead and (ahead[-1][0], ahead[-1][1]) in used:
            ahead.pop()
        if ahead:
            number, copy, forward = ahead.pop()
            used.add((number, copy))
            edge = problem.edges[number]
            trail.append((edge.v if forward else edge.u, (number, forward)))
            continue
        trail.pop()
        if came is not None:
            circuit.append(came)
    circuit.reverse()
    if len(circuit) != sum(walks.values()):
        raise ValueError("the required edges do not hang together with the depot")
    served: set[int] = set()
    steps = []
    for number, forward in circuit:
        steps.append(Step(number, forward, serves=number in wanted and number not in served))
        served.add(number)
    return steps
