"""Move coordinates of Chinese maps (GCJ-02, BD-09) to WGS84 and back (pure).

Chinese maps and chat apps show positions about 500 m off (GCJ-02), Baidu's another 700 m or so
(BD-09); a browser's geolocation is WGS84. Source: the published GCJ-02 offset formula on the
Krasovsky 1940 ellipsoid and Baidu's published twist of it; their inverses have no closed form and
are found by fixed-point iteration (under 1 mm after a few rounds).
"""

from collections.abc import Sequence
from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely import Geometry
from shapely import transform as map_coordinates

DATUMS = ("wgs84", "gcj02", "bd09")
_AXIS_M = 6378245.0
_ECCENTRICITY_2 = 0.00669342162296594323
_TWIST = pi * 3000 / 180
_ROUNDS = 8
Points = npt.NDArray[np.float64]  # rows of (lon, lat) in degrees


def _offset(points: Points) -> Points:
    """Return GCJ-02 minus WGS84 in degrees at WGS84 points."""
    lon, lat = points[:, 0], points[:, 1]
    x, y = lon - 105.0, lat - 35.0
    sin = np.sin
    waves = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + waves
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + waves
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    shape = 1 - _ECCENTRICITY_2 * sin(phi) ** 2
    d_lat = north * 180 / ((_AXIS_M * (1 - _ECCENTRICITY_2)) / (shape * np.sqrt(shape)) * pi)
    d_lon = east * 180 / (_AXIS_M / np.sqrt(shape) * np.cos(phi) * pi)
    return np.column_stack([d_lon, d_lat])


def _twisted(points: Points) -> Points:
    """Turn GCJ-02 into BD-09."""
    x, y = points[:, 0], points[:, 1]
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _TWIST)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _TWIST)
    return np.column_stack([radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006])


def _in_china(points: Points) -> npt.NDArray[np.bool_]:
    lon, lat = points[:, 0], points[:, 1]
    found: npt.NDArray[np.bool_] = (
        (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)
    )
    return found


def in_china(lon: float, lat: float) -> bool:
    """Say whether the offsets apply: outside this box all three datums are the same."""
    return bool(_in_china(np.array([[lon, lat]]))[0])


def _from_wgs84(points: Points, datum: str) -> Points:
    shifted = points + _offset(points)
    return _twisted(shifted) if datum == "bd09" else shifted


def shift_from_wgs84(points: Points, datum: str) -> Points:
    """Shift WGS84 points to `datum`."""
    if datum == "wgs84":
        return points
    return np.where(_in_china(points)[:, None], _from_wgs84(points, datum), points)


def shift_to_wgs84(points: Points, datum: str) -> Points:
    """Shift points of `datum` to WGS84; the round trip is exact to under 1 cm."""
    if datum == "wgs84":
        return points
    found = points
    for _ in range(_ROUNDS):
        found = found + points - _from_wgs84(found, datum)
    # Where the point truly lies decides, not where its shifted image fell.
    return np.where(_in_china(found)[:, None], found, points)


def to_wgs84(geometries: Sequence[Geometry], datum: str) -> Sequence[Any]:
    """Shift every coordinate of these geometries from `datum` to WGS84."""
    if datum == "wgs84" or not geometries:
        return geometries
    moved: Any = map_coordinates(np.array(geometries), lambda points: shift_to_wgs84(points, datum))
    return list(moved)


def _one(lon: float, lat: float) -> Points:
    return np.array([[lon, lat]], dtype=np.float64)


def from_wgs84(lon: float, lat: float, datum: str) -> tuple[float, float]:
    """Shift one WGS84 point (degrees) to `datum`."""
    x, y = shift_from_wgs84(_one(lon, lat), datum)[0].tolist()
    return x, y


def point_to_wgs84(lon: float, lat: float, datum: str) -> tuple[float, float]:
    """Shift one point of `datum` (degrees) to WGS84."""
    x, y = shift_to_wgs84(_one(lon, lat), datum)[0].tolist()
    return x, y
