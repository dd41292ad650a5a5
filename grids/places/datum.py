"""Move Chinese map coordinates (GCJ-02) to WGS84 (pure).

Chinese maps and chat apps show positions about 500 m off; a browser's geolocation is WGS84.
Source: the published GCJ-02 offset formula on the Krasovsky 1940 ellipsoid; its inverse has no
closed form and is found by fixed-point iteration (under 1 mm after a few rounds).
"""

from math import cos, pi, sin, sqrt

import numpy as np
import numpy.typing as npt
from shapely import Geometry
from shapely import transform as map_coordinates

_AXIS_M = 6378245.0
_ECCENTRICITY_2 = 0.00669342162296594323
_ROUNDS = 6


def _offset(lon: float, lat: float) -> tuple[float, float]:
    """Return GCJ-02 minus WGS84 in degrees at a WGS84 point."""
    x, y = lon - 105.0, lat - 35.0
    waves = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + waves
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + waves
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    shape = 1 - _ECCENTRICITY_2 * sin(phi) ** 2
    d_lat = north * 180 / ((_AXIS_M * (1 - _ECCENTRICITY_2)) / (shape * sqrt(shape)) * pi)
    d_lon = east * 180 / (_AXIS_M / sqrt(shape) * cos(phi) * pi)
    return d_lon, d_lat


def in_china(lon: float, lat: float) -> bool:
    """Say whether the offset applies: outside this box GCJ-02 equals WGS84."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


def wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Shift a WGS84 point (degrees) to GCJ-02."""
    if not in_china(lon, lat):
        return lon, lat
    d_lon, d_lat = _offset(lon, lat)
    return lon + d_lon, lat + d_lat


def gcj02_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """Shift a GCJ-02 point (degrees) to WGS84; the round trip is exact to under 1 cm."""
    if not in_china(lon, lat):
        return lon, lat
    x, y = lon, lat
    for _ in range(_ROUNDS):
        d_lon, d_lat = _offset(x, y)
        x, y = lon - d_lon, lat - d_lat
    return x, y


def geometry_to_wgs84(geometry: Geometry) -> Geometry:
    """Shift every coordinate of a GCJ-02 geometry to WGS84."""

    def shift(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.array([gcj02_to_wgs84(x, y) for x, y in points])

    return map_coordinates(geometry, shift)
