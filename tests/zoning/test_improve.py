"""The graph division below the map."""

from __future__ import annotations

import itertools
import random

import networkx as nx
import pytest

from grids.zoning.check import contiguous
from grids.zoning.draw import divide_graph
from grids.zoning.improve import Aim, Division, Graph, seed_parts, tree_cut
from grids.zoning.problem import ProblemError


def grid(columns: int, rows: int, weight: int = 1) -> tuple[list[int], list[tuple[int, int]]]:
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(columns, rows))
    return [weight] * len(graph), list(graph.edges)


def as_graph(weights: list[int], edges: list[tuple[int, int]]) -> Graph:
    around: list[list[tuple[int, float, float]]] = [[] for _ in weights]
    for a, b in edges:
        around[a].append((b, 1.0, 1.0))
        around[b].append((a, 1.0, 1.0))
    return Graph(weights, [1.0] * len(weights), [4.0 - len(links) for links in around], around)


def test_a_square_grid_is_halved_with_the_fewest_cuts() -> None:
    weights, edges = grid(6, 6)
    part = divide_graph(weights, edges, parts=2)
    assert part.count(0) == part.count(1) == 18
    assert sum(part[a] != part[b] for a, b in edges) == 6


@pytest.mark.parametrize("parts", [3, 5])
def test_parts_are_contiguous_and_nearly_equal(parts: int) -> None:
    rng = random.Random(parts)
    _, edges = grid(9, 9)
    weights = [rng.randint(1, 30) for _ in range(81)]
    part = divide_graph(weights, edges, parts=parts, effort=0.2)
    ideal = sum(weights) / parts
    for p in range(parts):
        inside = [v for v in range(81) if part[v] == p]
        assert contiguous(inside, edges)
        assert sum(weights[v] for v in inside) == pytest.approx(ideal, rel=0.02)


def test_pieces_share_the_parts_by_weight() -> None:
    weights = [5, 5, 5, 5, 5, 5]
    part = divide_graph(weights, [(0, 1), (1, 2), (2, 3), (4, 5)], parts=3)
    assert part[4] == part[5]
    assert len(set(part)) == 3
    with pytest.raises(ProblemError, match="1 parts of 6 nodes in 2 pieces"):
        divide_graph(weights, [(0, 1), (1, 2), (2, 3), (4, 5)], parts=1)


def test_sums_stay_true_while_annealing() -> None:
    rng = random.Random(1)
    weights, edges = grid(12, 12)
    graph = as_graph(weights, edges)
    division = Division(graph, seed_parts(graph, 6, rng=rng), 6)
    division.anneal(Aim(low=20, high=28), steps=20_000, rng=rng)
    fresh = Division(graph, list(division.part), 6)
    assert division.weight == fresh.weight
    assert division.size == fresh.size
    assert division.perimeter == pytest.approx(fresh.perimeter)
    assert all(20 <= w <= 28 for w in fresh.weight)
    for cell in range(6):
        assert contiguous([v for v in range(144) if division.part[v] == cell], edges)


def test_a_tree_cut_leaves_two_contiguous_sides() -> None:
    weights, edges = grid(7, 5)
    graph = as_graph(weights, edges)
    for seed in range(20):
        side = tree_cut(graph, range(35), lambda w: abs(w - 17), rng=random.Random(seed))
        assert 0 < len(side) < 35
        assert contiguous(side, edges)
        assert contiguous(set(range(35)) - set(side), edges)


def planar(nodes: int, seed: int) -> list[tuple[int, int]]:
    """Return a grid's edges with diagonals and some edges missing, still in one piece."""
    rng = random.Random(seed)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(nodes // 3, 3))
    graph.add_edges_from((v, v + 4) for v in range(nodes - 4) if v % 3 < 2 and rng.random() < 0.5)
    for edge in rng.sample(sorted(graph.edges), 4):
        graph.remove_edge(*edge)
        if not nx.is_connected(graph):
            graph.add_edge(*edge)
    return sorted(graph.edges)


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_small_graphs_are_cut_as_well_as_any_way_there_is(parts: int, seed: int) -> None:
    """Against every one of the parts^12 ways to colour twelve nodes."""
    edges = planar(12, seed)
    rng = random.Random(seed)
    weights = [rng.randint(1, 9) for _ in range(12)]
    ideal = sum(weights) / parts
    best = (float("inf"), 0)
    for colours in itertools.product(range(parts), repeat=11):
        part = (0, *colours)
        sums = [sum(w for w, p in zip(weights, part, strict=True) if p == q) for q in range(parts)]
        off = max(max(abs(s - ideal) for s in sums), 0.01 * ideal)
        if off > best[0]:
            continue
        cuts = sum(part[a] != part[b] for a, b in edges)
        if (off, cuts) < best and all(
            contiguous([v for v in range(12) if part[v] == q], edges) for q in range(parts)
        ):
            best = (off, cuts)
    mine = divide_graph(weights, edges, parts=parts, seed=seed, effort=0.1)
    sums = [sum(w for w, p in zip(weights, mine, strict=True) if p == q) for q in range(parts)]
    off = max(max(abs(s - ideal) for s in sums), 0.01 * ideal)
    assert all(contiguous([v for v in range(12) if mine[v] == q], edges) for q in range(parts))
    assert off == pytest.approx(best[0])
    assert sum(mine[a] != mine[b] for a, b in edges) == best[1]
