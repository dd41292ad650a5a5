"""What a drawing gives: cells, and measures of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from shapely.geometry import MultiPolygon, Polygon

from .problem import Band, BuildingId


class Reason(StrEnum):
    """Say why a cell is outside the band."""

    BLOCK = "block"
    """One building alone has more households than a cell may have."""
    HAMLET = "hamlet"
    """Too few households here, and nothing near enough to join."""
    TOWN_PART = "town_part"
    """No number of cells fits this part of town: 550 households in a band of 300-500."""
    PINCHED = "pinched"
    """A few households hang on the rest by one building only, and with it are above the band."""
    LOCKED = "locked"
    """The cell was locked by the caller and is outside."""
    UNSOLVED = "unsolved"
    """A division may exist, but the search found none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold one drawn cell; `code` counts from 1, north to south; `polygon` is WGS84.

    `reason` and `detail` are set where `households` is outside the band. `warnings` say what else
    a captain should look at.
    """

    code: int
    households: int
    buildings: tuple[BuildingId, ...]
    contiguous: bool
    polsby_popper: float
    polygon: Polygon | MultiPolygon
    in_band: bool
    reason: Reason | None = None
    detail: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        """Tell whether a cell in the band could have been drawn here."""
        return self.in_band or self.reason is Reason.UNSOLVED


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
