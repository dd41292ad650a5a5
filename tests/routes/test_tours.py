"""Tours over required edges: the shortest single walk, the cut into tours, and their checker."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrols.routes import postman
from patrols.routes.check import faults
from patrols.routes.nights import teams_needed, tours_of_night
from patrols.routes.problem import Answer, Edge, Problem, Step, Tour
from patrols.routes.tours import solve
from patrols.routes.ways import Ways


@st.composite
def networks(draw, most_nodes=7, most_edges=10, demand=False):
    """Connected networks with loops, parallel and unrequired edges."""
    nodes = draw(st.integers(2, most_nodes))
    ends = [(node, draw(st.integers(0, node - 1))) for node in range(1, nodes)]
    free = st.integers(0, nodes - 1)
    ends += draw(st.lists(st.tuples(free, free), max_size=max(0, most_edges - len(ends))))
    edges = [
        Edge(a, b, draw(st.integers(1, 20)), draw(st.integers(1, 4)) if demand else 0)
        for a, b in ends
    ]
    return Problem(nodes, tuple(edges), depot=draw(free))


def cheapest_pairing(odd: list[int], metres: np.ndarray) -> float:
    if not odd:
        return 0
    first, *rest = odd
    return min(
        metres[first, other] + cheapest_pairing([n for n in rest if n != other], metres)
        for other in rest
    )


@given(networks(most_nodes=8, most_edges=13))
@settings(max_examples=150, deadline=None)
def test_the_single_walk_is_the_shortest_there_is(problem):
    tour = postman.tour(problem)

    degree = np.zeros(problem.nodes, int)
    for edge in problem.edges:
        degree[edge.u] += 1
        degree[edge.v] += 1
    metres = Ways(problem.nodes, problem.edges).metres
    best = sum(edge.cost for edge in problem.edges)
    best += cheapest_pairing(np.flatnonzero(degree % 2).tolist(), metres)
    assert tour.cost == pytest.approx(best)
    assert faults(problem, Answer((tour,), tour.cost, 0)) == []


def cheapest_tours(problem: Problem) -> float:
    """Try every order, direction and cut of the required edges."""
    metres = Ways(problem.nodes, problem.edges).metres
    best = float("inf")
    for order in permutations(problem.required):
        for ways in product((True, False), repeat=len(order)):
            for cuts in product((True, False), repeat=len(order) - 1):
                cost, here, load = 0.0, problem.depot, 0.0
                for at, (number, forward) in enumerate(zip(order, ways, strict=True)):
                    edge = problem.edges[number]
                    if at and cuts[at - 1]:
                        cost += metres[here, problem.depot]
                        here, load = problem.depot, 0.0
                    start, end = (edge.u, edge.v) if forward else (edge.v, edge.u)
                    cost += metres[here, start] + edge.cost
                    here, load = end, load + edge.demand
                    if load > problem.capacity:
                        break
                else:
                    best = min(best, cost + metres[here, problem.depot])
    return best


@given(networks(most_nodes=4, most_edges=4, demand=True), st.integers(4, 9))
@settings(max_examples=40, deadline=None)
def test_small_problems_are_solved_to_the_optimum_and_above_the_bound(problem, capacity):
    problem = replace(problem, capacity=capacity)
    answer = solve(problem, seed=1)
    assert faults(problem, answer) == []
    best = cheapest_tours(problem)
    assert answer.cost == pytest.approx(best)
    assert answer.bound <= best + 1e-6


def grid(size: int, *, required: float = 1.0) -> Problem:
    edges = []
    for x, y in product(range(size), repeat=2):
        here = x * size + y
        if x + 1 < size:
            edges.append(Edge(here, here + size, 10 + (x * 7 + y * 3) % 5, 1 + (x + y) % 3))
        if y + 1 < size:
            edges.append(Edge(here, here + 1, 10 + (x * 5 + y) % 6, 1 + x % 2))
    wanted = int(len(edges) * required)
    edges = [
        edge if at < wanted else replace(edge, required=False, demand=0)
        for at, edge in enumerate(edges)
    ]
    return Problem(size * size, tuple(edges), depot=0)


@pytest.mark.parametrize(
    "limits", [{"capacity": 20}, {"limit": 220.0}, {"capacity": 9, "limit": 190}]
)
def test_tours_keep_to_capacity_and_length(limits):
    problem = replace(grid(5, required=0.8), **limits)
    answer = solve(problem, effort=0.05)
    assert faults(problem, answer) == []
    assert answer.unreached == {}
    assert answer.bound <= answer.cost


def test_the_same_seed_gives_the_same_tours():
    problem = replace(grid(4), capacity=12)
    assert solve(problem, seed=5, effort=0.1) == solve(problem, seed=5, effort=0.1)


def test_a_fleet_that_only_just_suffices_is_found():
    # Seven tasks of 5 and 7 fill two tours of 20 and 21 in one way only: 5+5+5+5 and 7+7+7.
    edges = [Edge(0, at + 1, 10 + at, demand) for at, demand in enumerate([5, 7, 5, 7, 5, 7, 5])]
    problem = Problem(8, tuple(edges), capacity=21, vehicles=2)
    answer = solve(problem)
    assert faults(problem, answer) == []
    assert sorted(tour.load for tour in answer.tours) == [20, 21]


def test_what_no_tour_can_serve_is_named_with_the_reason():
    edges = (Edge(0, 1, 5, 1), Edge(1, 2, 5, 9), Edge(1, 3, 50, 1), Edge(4, 5, 1, 1))
    problem = Problem(6, edges, capacity=5, limit=60)
    answer = solve(problem)
    assert answer.unreached == {1: "too_large", 2: "too_far", 3: "no_way"}
    assert faults(problem, answer) == []
    assert answer.cost == 10


def test_nothing_required_needs_no_tour():
    problem = Problem(2, (Edge(0, 1, 5, 0, required=False),), capacity=3)
    assert solve(problem) == Answer((), 0.0, 0.0, {})


def test_a_wrong_problem_is_refused():
    with pytest.raises(ValueError, match="does not exist"):
        Problem(2, (Edge(0, 2, 1),))
    with pytest.raises(ValueError, match="depot"):
        Problem(2, (), depot=2)
    with pytest.raises(ValueError, match="negative"):
        Problem(2, (Edge(0, 1, -1),))


def test_islands_of_streets_are_tied_by_other_ways():
    # Two squares of streets, joined by a lane that needs no patrol.
    square = [(0, 1), (1, 2), (2, 3), (3, 0)]
    edges = [Edge(a, b, 10) for a, b in square]
    edges += [Edge(a + 4, b + 4, 10) for a, b in square]
    edges.append(Edge(2, 4, 3, 0, required=False))
    problem = Problem(8, tuple(edges), depot=1)
    tour = postman.tour(problem)
    assert tour.cost == 80 + 2 * 3
    assert faults(problem, Answer((tour,), tour.cost, 0)) == []


def test_streets_that_hang_together_with_nothing_come_second():
    edges = (Edge(0, 1, 5), Edge(2, 3, 30), Edge(3, 4, 30))
    assert postman.parts(Problem(5, edges)) == [[1, 2], [0]]
    with pytest.raises(ValueError, match="hang together"):
        postman.tour(Problem(5, edges))


GOOD = (Step(0, True, True), Step(1, False, True))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer((Tour(GOOD, 7, 3),), 7, 7), None),
        (Answer((Tour(GOOD, 6, 3),), 6, 6), "costs 7"),
        (Answer((Tour(GOOD, 7, 2),), 7, 7), "carries 3"),
        (Answer((Tour(GOOD, 7, 3),), 9, 7), "all tours"),
        (Answer((Tour(GOOD, 7, 3),), 7, 8), "below the bound"),
        (Answer((Tour(GOOD[:1], 3, 1),), 3, 3), "ends at node 1"),
        (Answer((Tour(GOOD[::-1], 7, 3),), 7, 7), "jumps"),
        (Answer((Tour(GOOD * 2, 14, 6),), 14, 7), "served 2 times"),
        (Answer((), 0, 0), "edge 0 is not served"),
        (Answer((Tour(GOOD, 7, 3), Tour((), 0, 0)), 7, 7), "2 tours, above 1"),
    ],
)
def test_the_checker_finds_each_fault(answer, said):
    edges = (Edge(0, 1, 3, 1), Edge(0, 1, 4, 2))
    found = faults(Problem(2, edges, capacity=5, vehicles=1), answer)
    assert found == [] if said is None else any(said in fault for fault in found)


@pytest.mark.parametrize("tours", [*range(1, 20), 35])
def test_every_tour_has_its_turn_in_any_seven_nights(tours):
    for first in range(0, 60, 3):
        walked = [tours_of_night(night, tours) for night in range(first, first + 7)]
        assert {tour for night in walked for tour in night} == set(range(tours))
        assert max(len(night) for night in walked) == teams_needed(tours)


def test_no_tours_no_night():
    assert tours_of_night(3, 0) == []
