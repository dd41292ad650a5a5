"""Walking every street that must be walked: the problem and its answer, in plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

# Costs are compared with this much room: lengths are sums of floats, in metres.
SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Edge:
    """A way between two nodes that can be walked in both directions.

    A `required` one must be walked while serving it at least once; any may be walked again
    (deadheading) at the same cost.
    """

    u: int
    v: int
    cost: float
    demand: float = 0
    required: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """Edges over nodes 0…nodes-1; tours start and end at `depot`.

    A tour serves at most `capacity` of demand and is at most `limit` long, deadheading included;
    None is no limit. `vehicles` is the most tours, kept wherever a plan within it is found.
    """

    nodes: int
    edges: tuple[Edge, ...]
    depot: int = 0
    capacity: float | None = None
    limit: float | None = None
    vehicles: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.depot < self.nodes:
            raise ValueError(f"the depot {self.depot} is not among {self.nodes} nodes")
        for number, edge in enumerate(self.edges):
            if not (0 <= edge.u < self.nodes and 0 <= edge.v < self.nodes):
                raise ValueError(f"edge {number} names a node that does not exist")
            if not (edge.cost >= 0 and edge.demand >= 0):
                raise ValueError(f"edge {number} has a negative cost or demand")

    @property
    def required(self) -> list[int]:
        """Return the indexes of the edges that must be served."""
        return [number for number, edge in enumerate(self.edges) if edge.required]


@dataclass(frozen=True, slots=True)
class Step:
    """One edge walked: from u to v if `forward`; `serves` it, or passes over it only."""

    edge: int
    forward: bool
    serves: bool


@dataclass(frozen=True, slots=True)
class Tour:
    """A closed walk from the depot, with its whole cost and what it serves."""

    steps: tuple[Step, ...]
    cost: float
    load: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Tours that serve every required edge but `unreached`, which maps edges to why.

    Reasons: `no_way` (no walk leads there from the depot), `too_far` (there and back is longer
    than the limit), `too_large` (its demand alone is above the capacity). `bound` is a proven
    lower bound on the cost of serving the others.
    """

    tours: tuple[Tour, ...]
    cost: float
    bound: float
    unreached: dict[int, str] = field(default_factory=dict)
    cut_off: bool = False
