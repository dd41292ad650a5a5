"""What the apps above paint on the map: each registers at start what it knows.

- `register_coverage`: how well each cell is covered tonight; it colours the cells.
- `register_layer`: things of its own, each at a place: reports, routes, streets not walked.
- `register_history`: the patrols that took place per cell between two days, for the heat map;
  `register_street_history`: how often each street was walked.

A layer answers with what this actor may see, and nothing more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from grids.people.models import Member
from grids.places.models import Community


@dataclass(frozen=True)
class CellMark:
    """How a layer marks one cell: `share` from 0 (nothing covered) to 1, and words for it."""

    share: float | None
    text: str


@dataclass(frozen=True)
class Style:
    """How one kind of mark looks and what it means (`words`, lazily translated).

    `letter` stands in the pin of a point; `dash` and `width` (pixels) tell lines apart, so that
    nobody depends on `colour`.
    """

    words: Any
    colour: str
    letter: str = "•"
    dash: str = ""
    width: float = 3
    fill: bool = False


@dataclass(frozen=True)
class Mark:
    """One thing on the map: a GeoJSON geometry (WGS84), words for it, its style's code.

    `cell` (id) lets the list beside the map count it; `url` leads to its own page.
    """

    geometry: Mapping[str, Any]
    text: str
    style: str
    cell: int | None = None
    url: str = ""


@dataclass(frozen=True)
class Layer:
    """A layer that can be switched: `marks(actor, communities, now)` says what is on it."""

    code: str
    name: Any
    marks: Callable[[Member, Sequence[Community], datetime], Sequence[Mark]]
    styles: Mapping[str, Style] = field(default_factory=dict)
    shown: bool = True


@dataclass(frozen=True)
class Held:
    """Patrols of one cell in a period: planned, those that took place, and who came to them."""

    planned: int
    held: int
    people: int = 0


Coverage = Callable[[Sequence[Community], datetime], dict[int, CellMark]]
History = Callable[[Sequence[Community], date, date], dict[int, Held]]
StreetHistory = Callable[[Member, Sequence[Community], date, date], dict[int, int]]
coverage: list[Coverage] = []
layers: dict[str, Layer] = {}
history: list[History] = []
street_history: list[StreetHistory] = []


def register_coverage(layer: Coverage) -> None:
    """Let `layer(communities, now)` say how well each cell is covered tonight, by cell id."""
    coverage.append(layer)


def register_layer(layer: Layer) -> None:
    """Put a layer on every community's map; a code registered again replaces the one before."""
    layers[layer.code] = layer


def register_history(of_cells: History) -> None:
    """Let `of_cells(communities, first, last)` say what took place, by cell id, days inclusive."""
    history.append(of_cells)


def register_street_history(of_streets: StreetHistory) -> None:
    """Let `of_streets(actor, communities, first, last)` say how often streets were walked, by id.

    It names every street that the actor may know about, with 0 for those not walked.
    """
    street_history.append(of_streets)


def coverage_of(communities: Sequence[Community], now: datetime) -> dict[int, CellMark]:
    """Return tonight's mark of each cell; empty where no app has registered one."""
    marks: dict[int, CellMark] = {}
    for layer in coverage:
        marks |= layer(communities, now)
    return marks


def marks_of(
    actor: Member, communities: Sequence[Community], now: datetime
) -> list[tuple[Layer, Sequence[Mark]]]:
    """Return each layer with what the actor may see of it."""
    return [(layer, layer.marks(actor, communities, now)) for layer in layers.values()]


def history_of(communities: Sequence[Community], first: date, last: date) -> dict[int, Held]:
    """Return what took place in each cell from `first` to `last`."""
    found: dict[int, Held] = {}
    for of_cells in history:
        found |= of_cells(communities, first, last)
    return found


def street_history_of(
    actor: Member, communities: Sequence[Community], first: date, last: date
) -> dict[int, int]:
    """Return how often each street that the actor may know about was walked, by street id."""
    found: dict[int, int] = {}
    for of_streets in street_history:
        found |= of_streets(actor, communities, first, last)
    return found
