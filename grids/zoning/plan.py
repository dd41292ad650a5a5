"""What a drawing gives: cells, and measures of the whole."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from shapely.geometry import MultiPolygon, Polygon

from .problem import Band, BuildingId

CellKey = Hashable
"""The caller's name of a cell: an integer or a string."""

Numbers = Mapping[str, float]
"""What a reason or note speaks of; whole numbers are integers."""


class Reason(StrEnum):
    """Say why a cell is outside the band; `Cell.numbers` holds what is named here."""

    BLOCK = "block"
    """One building alone has more households than a cell may have: largest, max."""
    HAMLET = "hamlet"
    """Too few households here, and nothing near enough: households, min, nearest_m (if any)."""
    BARRIER = "barrier"
    """Too few households here, and a barrier between them and the nearest: as HAMLET."""
    TOWN_PART = "town_part"
    """No number of cells fits this part of town, as 550 households at 300-500: as HAMLET."""
    PINCHED = "pinched"
    """A few households hang on the rest by one building only: forced, gate (its own), max."""
    LOCKED = "locked"
    """The cell was locked by the caller and is outside: households."""
    UNSOLVED = "unsolved"
    """A division may exist, but the search found none."""


class Notice(StrEnum):
    """Say what else a captain should look at."""

    PARTS = "parts"
    """The shape is in several parts: parts."""
    ENCLOSES = "encloses"
    """The shape has a hole with another cell in it."""
    JOINED = "joined"
    """Parts further apart than neighbours are joined: metres."""
    SEEDS = "seeds"
    """More than one captain's home is in the cell: seeds."""


TEXT: Mapping[str, str] = {
    Reason.BLOCK: "one building has {largest} households, above {max}",
    Reason.HAMLET: "only {households} households here, and {way}",
    Reason.BARRIER: "only {households} households here, behind a barrier, and {way}",
    Reason.TOWN_PART: "no number of cells fits {households} households, and {way}",
    Reason.PINCHED: "{forced} households hang on the rest only by a building of {gate}",
    Reason.LOCKED: "the locked cell has {households} households",
    Reason.UNSOLVED: "the search found no division with this cell in the band",
    Notice.PARTS: "the shape is in {parts} parts",
    Notice.ENCLOSES: "the cell encloses another",
    Notice.JOINED: "joined over a gap of {metres:.0f} m",
    Notice.SEEDS: "{seeds} captains' homes are in this cell",
}


def english(code: str, numbers: Numbers) -> str:
    """Return a reason or note in words, for logs and the command line."""
    near = numbers.get("nearest_m")
    way = "no others are in reach" if near is None else f"the nearest others are {near:.0f} m away"
    return TEXT[code].format(way=way, **numbers)


@dataclass(frozen=True, slots=True)
class Note:
    """Hold a notice with its numbers."""

    code: Notice
    numbers: Numbers = field(default_factory=dict)

    def __str__(self) -> str:
        return english(self.code, self.numbers)


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold one drawn cell; `code` counts from 1, north to south; `polygon` is WGS84.

    `reason` and `numbers` are set where `households` is outside the band. `key` is the caller's
    own name of a cell that was redrawn, "new-1" and so on for one that is new.
    """

    code: int
    households: int
    buildings: tuple[BuildingId, ...]
    contiguous: bool
    polsby_popper: float
    polygon: Polygon | MultiPolygon
    in_band: bool
    reason: Reason | None = None
    numbers: Numbers = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    key: CellKey = None

    @property
    def feasible(self) -> bool:
        """Tell whether a cell in the band could have been drawn here."""
        return self.in_band or self.reason is Reason.UNSOLVED

    @property
    def detail(self) -> str:
        """Return in words why the cell is outside the band; empty inside."""
        return english(self.reason, self.numbers) if self.reason else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the notes in words."""
        return tuple(str(note) for note in self.notes)


@dataclass(frozen=True, slots=True)
class Measures:
    """Hold the quality of a plan.

    `share_in_band` counts feasible cells only, `share_in_band_all` all of them; 1.0 for none.
    `cut_edges` are neighbouring building pairs parted by a border, `neighbours` all such pairs;
    `deviation` is the greatest distance of a feasible cell from the mean of feasible cells, as a
    share of it.
    """

    cells: int
    feasible_cells: int
    households: int
    buildings: int
    share_in_band: float
    share_in_band_all: float
    mean_polsby_popper: float
    min_polsby_popper: float
    contiguous_share: float
    cut_edges: int
    neighbours: int
    deviation: float
    seconds: float

    def as_dict(self) -> dict[str, int | float]:
        """Return the measures by name, JSON-plain."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """Hold a drawing: every building given is in exactly one cell."""

    cells: tuple[Cell, ...]
    measures: Measures
    band: Band
    seed: int

    def cell_of(self) -> Mapping[BuildingId, int]:
        """Return the code of each building's cell."""
        return {b: cell.code for cell in self.cells for b in cell.buildings}
