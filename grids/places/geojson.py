"""Read buildings and streets from GeoJSON (pure): every feature is taken, repaired or refused
with its number, never dropped silently.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

from shapely import Geometry, GeometryCollection, LineString, MultiLineString, MultiPolygon, Polygon
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.validation import make_valid

from grids.places.datum import geometry_to_wgs84

_WGS84_NAMES = ("crs84", "epsg::4326", "epsg:4326")
_POSITIVE_SMALL = 32767
_METRES_PER_DEGREE = 111_195


class Unreadable(Exception):
    """The file as a whole is not GeoJSON that can be read; the message says why."""


class _Refused(Exception):
    """One feature can't be taken."""


@dataclass(frozen=True)
class BuildingRow:
    """One building as read; geometry in WGS84."""

    source_id: str
    name: str
    address: str
    street_name: str
    dwellings: int
    levels: int | None
    geometry: Polygon | MultiPolygon


@dataclass(frozen=True)
class StreetRow:
    """One street as read; geometry in WGS84, length in metres."""

    source_id: str
    name: str
    highway: str
    length_m: float
    geometry: LineString | MultiLineString


Row = TypeVar("Row")


@dataclass
class Reading(Generic[Row]):
    """What a file held: rows, what was repaired, and what was refused, by feature number."""

    rows: list[Row] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read_features(path: Path) -> list[Any]:
    """Return the features of a FeatureCollection file; raise Unreadable with the reason."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_constant)
    except FileNotFoundError as error:
        raise Unreadable("There is no such file.") from error
    except OSError as error:
        raise Unreadable(f"The file can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"The file is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The file is not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise Unreadable('The file must be a GeoJSON object of type "FeatureCollection".')
    features = document.get("features")
    if not isinstance(features, list):
        raise Unreadable('"features" must be a list.')
    _check_crs(document.get("crs"))
    return features


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that GeoJSON allows")


def _check_crs(crs: Any) -> None:
    """Old GeoJSON may name another reference system: metres taken for degrees ruin a town."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else str(crs)
    if not name.lower().endswith(_WGS84_NAMES):
        raise Unreadable(f"The coordinates are in {name}. Save the file in EPSG:4326 (WGS84).")


def read_buildings(features: list[Any], *, datum: str = "wgs84") -> Reading[BuildingRow]:
    """Read building features: id, dwellings (else dwellings_est), levels, name, addr:*."""
    return _read(features, datum=datum, make=_building)


def read_streets(features: list[Any], *, datum: str = "wgs84") -> Reading[StreetRow]:
    """Read street features: id, name, highway."""
    return _read(features, datum=datum, make=_street)


def _read(
    features: list[Any], *, datum: str, make: Callable[[str, dict[str, Any], Geometry], Any]
) -> Reading[Any]:
    reading: Reading[Any] = Reading()
    seen: dict[str, int] = {}
    for number, feature in enumerate(features, start=1):
        try:
            source_id, properties = _identity(feature)
            if source_id in seen:
                raise _Refused(f"id {source_id!r} was used by feature {seen[source_id]}")
            geometry, repaired = _geometry(feature.get("geometry"))
            if datum == "gcj02":
                geometry = geometry_to_wgs84(geometry)
            row = make(source_id, properties, geometry)
            seen[source_id] = number
        except _Refused as refusal:
            reading.errors.append(f"feature {number}: {refusal}")
        else:
            reading.rows.append(row)
            if repaired:
                reading.repaired.append(f"feature {number}: the outline crossed itself; repaired")
    return reading


def _identity(feature: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise _Refused('not an object of type "Feature"')
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise _Refused('"properties" must be an object')
    source_id = properties.get("id", feature.get("id"))
    if isinstance(source_id, bool) or not isinstance(source_id, (int, str)) or source_id == "":
        raise _Refused('no "id", neither in the properties nor in the feature')
    return _text(source_id, "id", 80), properties


def _text(value: Any, name: str, longest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise _Refused(f'"{name}" must be text')
    text = str(value).replace("\x00", "").strip()
    if len(text) > longest:
        raise _Refused(f'"{name}" is longer than {longest} characters')
    return text


def _count(value: Any, name: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise _Refused(f'"{name}" is {value!r}, not a number') from error
    if isinstance(value, bool) or not number.is_integer() or not 0 <= number <= _POSITIVE_SMALL:
        raise _Refused(f'"{name}" is {value!r}: it must be a whole number from 0 to 32767')
    return int(number)


def _geometry(raw: Any) -> tuple[Geometry, bool]:
    """Build the geometry, check its numbers, and repair an outline that crosses itself."""
    if not isinstance(raw, dict) or "type" not in raw:
        raise _Refused("no geometry")
    for x, y in _points(raw.get("coordinates")):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise _Refused("a coordinate is not a finite number")
        if abs(y) > 90 and abs(x) <= 90:
            raise _Refused(f"latitude {y} is beyond 90: the axes look swapped (write lon, lat)")
        if abs(x) > 180 or abs(y) > 90:
            raise _Refused(f"({x}, {y}) is not in degrees: save the file in EPSG:4326")
    try:
        geometry = shape(raw)
    except (ShapelyError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise _Refused(f"the geometry can't be read: {error}") from error
    if geometry.is_empty:
        raise _Refused("the geometry is empty")
    if geometry.is_valid:
        return geometry, False
    return make_valid(geometry), True


def _points(coordinates: Any) -> Iterator[tuple[float, float]]:
    """Walk nested coordinate lists down to the positions."""
    stack = [coordinates]
    while stack:
        item = stack.pop()
        if not isinstance(item, list):
            raise _Refused("the coordinates are not lists of numbers")
        if item and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in item):
            if len(item) < 2:
                raise _Refused("a position has fewer than two numbers")
            yield float(item[0]), float(item[1])
        else:
            stack.extend(item)


def _parts(geometry: Geometry, kind: type[Geometry]) -> list[Any]:
    """Return the parts of one kind; a repair may have left lines and points beside."""
    if isinstance(geometry, kind):
        return [geometry]
    if isinstance(geometry, (GeometryCollection, MultiPolygon, MultiLineString)):
        return [part for piece in geometry.geoms for part in _parts(piece, kind)]
    return []


def _building(source_id: str, properties: dict[str, Any], geometry: Geometry) -> BuildingRow:
    polygons = [part for part in _parts(geometry, Polygon) if part.area > 0]
    if not polygons:
        raise _Refused(
            f"a building must be a Polygon or MultiPolygon, not {type(geometry).__name__}"
        )
    dwellings = _count(properties.get("dwellings"), "dwellings")
    if dwellings is None:
        dwellings = _count(properties.get("dwellings_est"), "dwellings_est") or 0
    street = _text(properties.get("addr:street") or properties.get("street"), "addr:street", 120)
    number = _text(
        properties.get("addr:housenumber") or properties.get("housenumber"), "addr:housenumber", 40
    )
    full = _text(properties.get("addr:full"), "addr:full", 200)
    return BuildingRow(
        source_id=source_id,
        name=_text(properties.get("name"), "name", 160),
        address=full or f"{street} {number}".strip(),
        street_name=street,
        dwellings=dwellings,
        levels=_count(properties.get("levels"), "levels"),
        geometry=polygons[0] if len(polygons) == 1 else MultiPolygon(polygons),
    )


def _street(source_id: str, properties: dict[str, Any], geometry: Geometry) -> StreetRow:
    lines = [part for part in _parts(geometry, LineString) if part.length > 0]
    if not lines:
        raise _Refused(f"a street must be a LineString, not {type(geometry).__name__}")
    return StreetRow(
        source_id=source_id,
        name=_text(properties.get("name"), "name", 160),
        highway=_text(properties.get("highway"), "highway", 40),
        length_m=round(sum(_length_m(line) for line in lines), 1),
        geometry=lines[0] if len(lines) == 1 else MultiLineString(lines),
    )


def _length_m(line: LineString) -> float:
    """Measure a line on the sphere's local plane, in metres."""
    points = [(point[0], point[1]) for point in line.coords]
    total = 0.0
    for (x1, y1), (x2, y2) in pairwise(points):
        east = (x2 - x1) * math.cos(math.radians((y1 + y2) / 2))
        total += math.hypot(east, y2 - y1) * _METRES_PER_DEGREE
    return total
