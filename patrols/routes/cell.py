"""The route of a cell: one shortest walk over its streets, cut into tours of a patrol's length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from patrols.routes import postman
from patrols.routes.network import Network
from patrols.routes.problem import SLACK, Edge, Problem, Step, Tour
from patrols.routes.tours import solve
from patrols.routes.ways import Ways

# People on patrol look around: 4 km in an hour.
WALKING_KM_PER_HOUR = 4.0
# How hard the cut is searched: more saves little and takes as much longer.
EFFORT = 0.0


@dataclass(frozen=True)
class CellRoute:
    """A cell's tours over the edges of `problem` (its network's stretches, in their order).

    `single_m` is the shortest walk over all reachable streets at once, `tours_m` all tours
    together; `unreached` maps stretches to why (`no_way`, `too_far`).
    """

    problem: Problem
    tours: tuple[Tour, ...]
    unreached: dict[int, str]
    single_m: float
    streets_m: float
    cut_off: bool = False

    @property
    def tours_m(self) -> float:
        """Return the length of all tours together."""
        return sum(tour.cost for tour in self.tours)

    @property
    def deadhead_share(self) -> float:
        """Return the share of the way that is walked again, or outside the cell's streets."""
        return 1 - self.streets_m / self.tours_m if self.tours_m else 0.0


def limit_of(minutes: int, *, km_per_hour: float = WALKING_KM_PER_HOUR) -> float:
    """Return the metres that a patrol of so many minutes walks."""
    return minutes * km_per_hour * 1000 / 60


def route(
    network: Network,
    *,
    meeting: tuple[float, float],
    limit_m: float,
    seed: int = 0,
    effort: float = EFFORT,
    seconds: float = 20.0,
) -> CellRoute:
    """Return tours from the node nearest to `meeting` (metres) over all required stretches.

    Only the largest part that can be walked through is; a meeting point elsewhere is moved
    to that part's nearest node on the cell's own streets.
    """
    edges = tuple(Edge(s.a, s.b, s.metres, 0, s.required) for s in network.stretches)
    whole = Problem(max(1, len(network.xy)), edges)
    parts = postman.parts(whole)
    if not parts:
        return CellRoute(whole, (), {}, 0.0, 0.0)
    reached, unreached = set(parts[0]), dict.fromkeys(chain(*parts[1:]), "no_way")
    nodes = {node for number in reached for node in (edges[number].u, edges[number].v)}
    depot = network.nearest(*meeting, among=nodes)
    ways = Ways(whole.nodes, edges)
    cut_off = False
    while True:
        problem = _problem(edges, whole.nodes, depot, limit_m, reached)
        single = postman.tour(problem, ways)
        far = _too_far(problem, ways)
        if not far:
            break
        unreached.update(dict.fromkeys(far, "too_far"))
        reached -= far
        if not reached:
            return CellRoute(problem, (), unreached, 0.0, 0.0)
    if single.cost <= limit_m + SLACK:
        tours: Sequence[Tour] = (single,)
    else:
        order = [step.edge for step in single.steps if step.serves]
        found = solve(
            problem, seed=seed, effort=effort, seconds=seconds, orders=[order], bounded=False,
            ways=ways,
        )  # fmt: skip
        tours, cut_off = found.tours, found.cut_off
    streets_m = sum(edges[number].cost for number in reached)
    return CellRoute(problem, tuple(tours), unreached, single.cost, streets_m, cut_off)


def _problem(
    edges: tuple[Edge, ...], nodes: int, depot: int, limit_m: float, reached: set[int]
) -> Problem:
    wanted = tuple(
        edge if edge.required == (number in reached) else Edge(edge.u, edge.v, edge.cost, 0, False)
        for number, edge in enumerate(edges)
    )
    return Problem(nodes, wanted, depot=depot, limit=limit_m)


def _too_far(problem: Problem, ways: Ways) -> set[int]:
    away = ways.metres[problem.depot]
    return {
        number
        for number in problem.required
        if away[problem.edges[number].u]
        + problem.edges[number].cost
        + away[problem.edges[number].v]
        > (problem.limit or 0) + SLACK
    }


def walk_line(network: Network, steps: Sequence[Step]) -> list[tuple[float, float]]:
    """Return the points of a walk in metres, without doubled ones where stretches meet."""
    points: list[tuple[float, float]] = []
    for step in steps:
        line = [(float(x), float(y)) for x, y in network.stretches[step.edge].line.coords]
        if not step.forward:
            line.reverse()
        # Stretches of one node may end a snap apart: the walk goes straight across.
        if points and abs(points[-1][0] - line[0][0]) + abs(points[-1][1] - line[0][1]) < 0.05:
            line = line[1:]
        points += line
    return points
