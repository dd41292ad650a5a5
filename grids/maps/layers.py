"""What the apps above paint on the map: each registers a layer at start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from grids.places.models import Community


@dataclass(frozen=True)
class CellMark:
    """How a layer marks one cell: `share` from 0 (nothing covered) to 1, and words for it."""

    share: float | None
    text: str


Layer = Callable[[Sequence[Community], datetime], dict[int, CellMark]]
coverage: list[Layer] = []


def register_coverage(layer: Layer) -> None:
    """Let `layer(communities, now)` say how well each cell is covered tonight, by cell id."""
    coverage.append(layer)


def coverage_of(communities: Sequence[Community], now: datetime) -> dict[int, CellMark]:
    """Return tonight's mark of each cell; empty where no app has registered one."""
    marks: dict[int, CellMark] = {}
    for layer in coverage:
        marks |= layer(communities, now)
    return marks
