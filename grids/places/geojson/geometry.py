"""Build one feature's geometry (pure): good, repaired, or refused with the reason."""

from typing import Any

from shapely import (
    Geometry,
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPolygon,
    Polygon,
    make_valid,
    union_all,
)
from shapely.errors import ShapelyError

_MOST_POSITIONS = 200_000
_MERCATOR_M = 20_100_000
Position = tuple[float, float]


class Refused(Exception):
    """One feature can't be taken; `code`, `column` and `facts` say why."""

    def __init__(self, code: str, column: str = "geometry", **facts: Any) -> None:
        self.code, self.column, self.facts = code, column, facts
        super().__init__(code)


class Builder:
    """Builds geometries of one kind; `notes` tells what the last one had repaired."""

    def __init__(self, kind: type[Polygon] | type[LineString], *, swap: bool = False) -> None:
        self._kind = kind
        self._swap = swap
        self.notes: list[str] = []
        self.flattened = 0

    def build(self, raw: Any) -> Any:
        """Return the valid geometry of a GeoJSON object; raise Refused."""
        self.notes = []
        self._left = _MOST_POSITIONS
        if raw is None:
            raise Refused("no_geometry")
        if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
            raise Refused("no_geometry")
        flat = self.flattened
        try:
            parts = self._parts(raw, nested=0)
            self.flattened = flat + (self.flattened > flat)
            if not parts:
                raise Refused("geometry_empty")
            return self._whole(parts)
        except (ShapelyError, ValueError, OverflowError) as error:
            raise Refused("geometry_unreadable", reason=str(error)[:200]) from error

    def _parts(self, raw: dict[str, Any], *, nested: int) -> list[Any]:
        kind = raw.get("type")
        if kind == "GeometryCollection":
            inner = raw.get("geometries")
            if not isinstance(inner, list) or nested > 3:
                raise Refused("coordinates_no_lists")
            found = []
            for one in inner:
                if not isinstance(one, dict):
                    raise Refused("coordinates_no_lists")
                found += self._parts(one, nested=nested + 1)
            return found
        line = self._kind is LineString
        single, many = ("LineString", "MultiLineString") if line else ("Polygon", "MultiPolygon")
        if kind not in (single, many):
            raise Refused("wrong_type_street" if line else "wrong_type_area", found=str(kind)[:40])
        coordinates = raw.get("coordinates")
        if coordinates is None or coordinates == []:
            return []
        parts = coordinates if kind == many else [coordinates]
        if not isinstance(parts, list):
            raise Refused("coordinates_no_lists")
        build = self._line if line else self._polygon
        return [build(one) for one in parts if one != []]

    def _line(self, raw: Any) -> LineString:
        points = self._points(raw)
        if len(set(points)) < 2:
            raise Refused("line_too_short")
        return LineString(points)

    def _polygon(self, raw: Any) -> Polygon:
        if not isinstance(raw, list):
            raise Refused("coordinates_no_lists")
        shell, *holes = [self._ring(one) for one in raw if one != []] or [[]]
        if not shell:
            raise Refused("geometry_empty")
        return Polygon(shell, holes)

    def _ring(self, raw: Any) -> list[Position]:
        points = self._points(raw)
        if points[0] != points[-1]:
            points.append(points[0])
            if len(points) >= 4:
                self._note("ring_closed")
        if len(points) < 4 or len(set(points)) < 3:
            raise Refused("ring_too_short")
        return points

    def _points(self, raw: Any) -> list[Position]:
        """Check the positions of one line or ring, keep longitude and latitude."""
        if not isinstance(raw, list):
            raise Refused("coordinates_no_lists")
        self._left -= len(raw)
        if self._left < 0:
            raise Refused("too_many_positions", most=_MOST_POSITIONS)
        points = []
        flat = True
        for position in raw:
            if type(position) is not list:
                raise Refused("coordinates_no_lists")
            if len(position) != 2:
                if len(position) < 2:
                    raise Refused("position_too_short")
                flat = False
            x, y = position[0], position[1]
            if type(x) not in _NUMBERS or type(y) not in _NUMBERS:
                raise Refused("coordinates_no_numbers")
            if self._swap:
                x, y = y, x
            # A comparison with NaN fails too.
            if not (-180 <= x <= 180 and -90 <= y <= 90):
                raise _beyond(x, y)
            points.append((float(x), float(y)))
        if not flat:
            self.flattened += 1
        if not points:
            raise Refused("geometry_empty")
        return points

    def _whole(self, parts: list[Any]) -> Any:
        many = MultiLineString if self._kind is LineString else MultiPolygon
        geometry: Any = parts[0] if len(parts) == 1 else many(parts)
        if geometry.is_valid:
            return geometry
        mended = union_all([_mended(part) for part in parts])
        pieces = _pieces(mended, self._kind)
        if not pieces:
            raise Refused("no_area")
        self._note("outline_repaired")
        return pieces[0] if len(pieces) == 1 else many(pieces)

    def _note(self, code: str) -> None:
        if code not in self.notes:
            self.notes.append(code)


_NUMBERS = (float, int)  # and not bool, which is an int


def _beyond(x: float, y: float) -> Refused:
    if x != x or y != y or x in (_INFINITY, -_INFINITY) or y in (_INFINITY, -_INFINITY):
        return Refused("coordinate_not_finite")
    if abs(y) > 90 and abs(y) <= 180 and abs(x) <= 90:
        return Refused("axes_swapped", latitude=y)
    if abs(x) <= _MERCATOR_M and abs(y) <= _MERCATOR_M and max(abs(x), abs(y)) > 1000:
        return Refused("in_metres", x=x, y=y)
    return Refused("not_in_degrees", x=x, y=y)


_INFINITY = float("inf")


def _mended(part: Any) -> Any:
    """Return what a shell encloses, minus its holes; one outside its shell is not ground."""
    if isinstance(part, LineString):
        return make_valid(part)
    ground = _valid(Polygon(part.exterior))
    for hole in part.interiors:
        ground = ground.difference(_valid(Polygon(hole)))
    return ground


def _valid(polygon: Polygon) -> Any:
    return make_valid(polygon, method="structure", keep_collapsed=False)


def _pieces(geometry: Any, kind: type[Geometry]) -> list[Any]:
    """Return the parts of one kind that have an extent; a repair may leave others beside."""
    if geometry.geom_type == kind.__name__:
        return [] if geometry.is_empty or not (geometry.area or geometry.length) else [geometry]
    if isinstance(geometry, (GeometryCollection, MultiPolygon, MultiLineString)):
        return [part for piece in geometry.geoms for part in _pieces(piece, kind)]
    return []
