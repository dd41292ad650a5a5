"""Turn features into rows (pure): buildings, streets and borders."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, Generic, TypeVar

from shapely import LineString, MultiLineString, MultiPolygon, Polygon

from grids.places.datum import to_wgs84
from grids.places.findings import Finding, Findings, Level
from grids.places.geojson.geometry import Builder, Refused

_POSITIVE_SMALL = 32767
_METRES_PER_DEGREE = 111_195
_A_TIME = 500


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


@dataclass(frozen=True)
class BorderRow:
    """One community's border as read, by the code or name of the community; WGS84."""

    source_id: str
    name: str
    geometry: Polygon | MultiPolygon


Row = TypeVar("Row", bound=BuildingRow | StreetRow | BorderRow)


@dataclass(frozen=True)
class Kind(Generic[Row]):
    """How one kind of file is read."""

    name: str
    row: type[Row]
    shape: type[Polygon] | type[LineString]
    make: Callable[[str, dict[str, Any], Any], Row]
    ids: tuple[str, ...] = ("id",)


def read_rows(
    features: Iterable[Any],
    kind: Kind[Row],
    findings: Findings,
    *,
    datum: str = "wgs84",
    swap: bool = False,
) -> Iterator[tuple[int, Row]]:
    """Yield (number, row) of every feature that can be taken; `findings` tells of all others.

    Numbers count from 1. `swap` reads (lat, lon) positions. Ids are not compared here.
    """
    builder = Builder(kind.shape, swap=swap)
    numbered = enumerate(features, start=1)
    while batch := list(islice(numbered, _A_TIME)):
        good = []
        for number, feature in batch:
            try:
                source_id, properties = _identity(feature, kind.ids)
                good.append((number, source_id, properties, builder.build(feature.get("geometry"))))
            except Refused as refusal:
                findings.add(number, refusal.column, refusal.code, **refusal.facts)
            else:
                for note in builder.notes:
                    findings.add(number, "geometry", note, Level.REPAIRED)
        # A thousand points at once: one by one the shift would cost more than all the rest.
        shapes = to_wgs84([geometry for *_, geometry in good], datum)
        for (number, source_id, properties, _), geometry in zip(good, shapes, strict=True):
            try:
                yield number, kind.make(source_id, properties, geometry)
            except Refused as refusal:
                findings.add(number, refusal.column, refusal.code, **refusal.facts)
    if builder.flattened:
        findings.add(0, "geometry", "altitude", Level.REPAIRED, count=builder.flattened)


@dataclass
class Reading(Generic[Row]):
    """A whole list of features, read at once: rows and what was found."""

    rows: list[Row] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def errors(self) -> list[Finding]:
        """What refuses the file."""
        return self.findings.kept(Level.ERROR)


def read_buildings(features: Iterable[Any], *, datum: str = "wgs84") -> Reading[BuildingRow]:
    """Read building features: id, dwellings (else dwellings_est), levels, name, addr:*."""
    return _read(features, BUILDINGS, datum)


def read_streets(features: Iterable[Any], *, datum: str = "wgs84") -> Reading[StreetRow]:
    """Read street features: id, name, highway."""
    return _read(features, STREETS, datum)


def _read(features: Iterable[Any], kind: Kind[Row], datum: str) -> Reading[Row]:
    reading: Reading[Row] = Reading()
    seen: dict[str, int] = {}
    for number, row in read_rows(features, kind, reading.findings, datum=datum):
        if seen.setdefault(row.source_id, number) != number:
            first = seen[row.source_id]
            reading.findings.add(number, "id", "id_twice", id=row.source_id, first=first)
        else:
            reading.rows.append(row)
    return reading


def _identity(feature: Any, names: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise Refused("no_feature", "")
    properties = feature.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        raise Refused("properties_no_object", "properties")
    found = [properties[name] for name in names if properties.get(name) not in (None, "")]
    source_id = found[0] if found else feature.get("id")
    if isinstance(source_id, float) and source_id.is_integer():
        source_id = int(source_id)
    if isinstance(source_id, bool) or not isinstance(source_id, (int, str)):
        raise Refused("no_id", "id")
    text = _text(source_id, "id", 80)
    if not text:
        raise Refused("no_id", "id")
    return text, properties


def _text(value: Any, name: str, longest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise Refused("no_text", name)
    # Neither a database nor a page can hold control characters or half a surrogate pair.
    text = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", str(value)).strip()
    if len(text) > longest:
        raise Refused("text_too_long", name, longest=longest)
    return text


def _count(properties: dict[str, Any], name: str) -> int | None:
    value = properties.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused("no_number", name, value=repr(value)[:40]) from error
    if isinstance(value, bool) or not number.is_integer() or not 0 <= number <= _POSITIVE_SMALL:
        raise Refused("no_count", name, value=repr(value)[:40])
    return int(number)


def _building(source_id: str, properties: dict[str, Any], geometry: Any) -> BuildingRow:
    dwellings = _count(properties, "dwellings")
    if dwellings is None:
        dwellings = _count(properties, "dwellings_est") or 0
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
        levels=_count(properties, "levels"),
        geometry=geometry,
    )


def _street(source_id: str, properties: dict[str, Any], geometry: Any) -> StreetRow:
    lines = geometry.geoms if isinstance(geometry, MultiLineString) else [geometry]
    return StreetRow(
        source_id=source_id,
        name=_text(properties.get("name"), "name", 160),
        highway=_text(properties.get("highway"), "highway", 40),
        length_m=round(sum(_length_m(line) for line in lines), 1),
        geometry=geometry,
    )


def _border(source_id: str, properties: dict[str, Any], geometry: Any) -> BorderRow:
    return BorderRow(
        source_id=source_id, name=_text(properties.get("name"), "name", 120), geometry=geometry
    )


def _length_m(line: LineString) -> float:
    """Measure a line on the sphere's local plane, in metres."""
    points = [(point[0], point[1]) for point in line.coords]
    total = 0.0
    for (x1, y1), (x2, y2) in pairwise(points):
        east = (x2 - x1) * math.cos(math.radians((y1 + y2) / 2))
        total += math.hypot(east, y2 - y1) * _METRES_PER_DEGREE
    return total


BUILDINGS: Kind[BuildingRow] = Kind("buildings", BuildingRow, Polygon, _building)
STREETS: Kind[StreetRow] = Kind("streets", StreetRow, LineString, _street)
# Chinese border files name the official code "adcode".
BORDERS: Kind[BorderRow] = Kind(
    "boundaries", BorderRow, Polygon, _border, ids=("code", "adcode", "id", "name")
)
