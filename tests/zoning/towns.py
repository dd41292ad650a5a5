"""Synthetic towns for the zoning tests."""

from __future__ import annotations

import random

from shapely.geometry import LineString, box

from grids.zoning.problem import Building, Street

LON, LAT = 113.5, 34.8
DEGREE_X, DEGREE_Y = 91_300.0, 111_195.0


def at(x: float, y: float) -> tuple[float, float]:
    """Return lon, lat of a place in metres."""
    return LON + x / DEGREE_X, LAT + y / DEGREE_Y


def house(
    number: int, x: float, y: float, dwellings: int = 10, *, size: float | None = 12.0
) -> Building:
    """Return a square house, or a bare point without `size`."""
    lon, lat = at(x, y)
    footprint = None
    if size:
        footprint = box(*at(x - size / 2, y - size / 2), *at(x + size / 2, y + size / 2))
    return Building(id=number, dwellings=dwellings, lon=lon, lat=lat, footprint=footprint)


def grid_town(
    columns: int,
    rows: int,
    *,
    step: float = 30.0,
    dwellings: int = 10,
    seed: int = 0,
    first: int = 0,
    x: float = 0.0,
    y: float = 0.0,
) -> list[Building]:
    """Return rows of houses, a little off the grid, about `dwellings` each."""
    rng = random.Random(seed)
    return [
        house(
            first + r * columns + c,
            x + c * step + rng.uniform(-4, 4),
            y + r * step + rng.uniform(-4, 4),
            max(0, dwellings + rng.randint(-dwellings // 2, dwellings // 2)),
        )
        for r in range(rows)
        for c in range(columns)
    ]


def main_street(y: float, length: float, number: int = 1) -> Street:
    """Return a main street from west to east."""
    return Street(id=number, line=LineString([at(-100, y), at(length, y)]), highway="primary")
