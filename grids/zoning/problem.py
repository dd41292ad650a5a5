"""What a drawing starts from: buildings, streets, the household band, options."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon

BuildingId = Hashable
"""The caller's id of a building: an integer or a string, unique in one drawing."""

Footprint = Polygon | MultiPolygon | Point
Line = LineString | MultiLineString
Barrier = LineString | MultiLineString | Polygon | MultiPolygon


class ProblemError(ValueError):
    """Say which building, street or option makes the problem meaningless."""


@dataclass(frozen=True, slots=True)
class Building:
    """Hold one building; coordinates are WGS84 degrees, `dwellings` a count of households.

    `lon`, `lat` is a point inside the building. `footprint` is optional: with it, cell borders run
    midway between walls instead of midway between points. `estate` names the estate (compound) it
    belongs to, if known.
    """

    id: BuildingId
    dwellings: int
    lon: float
    lat: float
    footprint: Footprint | None = None
    street: str | None = None
    estate: Hashable | None = None


@dataclass(frozen=True, slots=True)
class Street:
    """Hold one street; `line` in WGS84 degrees, `highway` as OpenStreetMap names its rank.

    A river or railway may be given too, with `highway` "river" or "rail" (see `Options.hard`).
    """

    id: Hashable
    line: Line
    highway: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """Hold the least and most households a cell should have, both inclusive."""

    min: int = 300
    max: int = 500

    def __post_init__(self) -> None:
        if not 0 < self.min <= self.max:
            raise ProblemError(f"band {self.min}-{self.max}: need 0 < min <= max")

    @property
    def target(self) -> float:
        """Return the middle of the band, in households."""
        return (self.min + self.max) / 2

    def excess(self, households: float) -> float:
        """Return by how many households a cell is outside the band; 0 inside."""
        return max(self.min - households, households - self.max, 0)

    def holds(self, households: float) -> bool:
        """Tell whether a cell of this size is inside the band."""
        return self.min <= households <= self.max

    def counts(self, households: int) -> range:
        """Return the numbers of cells into which this many households can be cut evenly."""
        return range(-(-households // self.max), households // self.min + 1)


@dataclass(frozen=True, slots=True)
class Options:
    """Hold what a community may tune; distances in metres.

    `locked` are cells that stay as they are, each a set of building ids; they need not be inside
    the band. `seeds` are captains' homes: building ids that end up one per cell where possible.
    `barriers` are lines or areas (WGS84) over which no two buildings are neighbours; `hard` are the
    ranks of streets that are barriers too. `estates` are areas whose buildings belong together,
    beside those that `Building.estate` names.

    `margin_m` is how far a cell reaches around its outermost buildings; two buildings further apart
    than twice that are not neighbours. A part of town that cannot form cells alone is joined to the
    nearest other part over at most `join_m`. `effort` scales the search (1 is about 2 s for 4,000
    buildings). `street_weight` says how strongly borders seek streets and estate limits, 0 is not.
    """

    locked: tuple[frozenset[BuildingId], ...] = ()
    seeds: tuple[BuildingId, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    hard: frozenset[str] = frozenset({"rail", "river", "motorway"})
    estates: tuple[Polygon | MultiPolygon, ...] = ()
    margin_m: float = 60.0
    join_m: float = 1500.0
    effort: float = 1.0
    street_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.margin_m <= 0 or self.join_m < 0 or self.effort < 0 or self.street_weight < 0:
            raise ProblemError(
                "margin_m must be positive; join_m, effort, street_weight not below 0"
            )
