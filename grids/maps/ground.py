"""What is drawn the same for everybody, kept until it changes: cells' borders, buildings, streets.

Borders hang on the published plans, the ground on its imports. Keys name that state, so a new
plan or import simply asks for another key, in every process; old entries time out.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import shapely
from django.core.cache import cache
from django.db.models import Count, Max, Sum
from shapely import from_wkb, get_num_coordinates, set_precision, simplify, to_geojson

from grids.places.models import Building, CellPlan, CellShape, Community, Street
from grids.places.queries import published_shapes, subtree

_MICRODEGREE = 1e-6
_KEEP_S = 24 * 3600
# Above so many corners, borders are drawn with fewer: to about a metre, the same one on both
# sides. Below, they go out as they were drawn.
_MANY_CORNERS = 20_000
_METRE = 1e-5
_LINE = 5e-6
# One map draws many buildings at once; each corner of 10 cm would be lost on any screen.
_DIGITS = 6


def plan_token(community: Community) -> str:
    """Tell one set of published plans under `community` from another."""
    found = CellPlan.objects.filter(
        state=CellPlan.State.PUBLISHED, community__in=subtree(community)
    ).aggregate(latest=Max("id"), at=Max("published_at"), count=Count("id"), ids=Sum("id"))
    return _digest([community.path, *map(str, found.values())])


def ground_token(community: Community) -> str:
    """Tell one state of the buildings and streets under `community` from another."""
    below = subtree(community).order_by("pk").values_list("pk", "ground_version")
    return _digest([community.path, *map(str, below)])


def borders(community: Community) -> dict[int, str]:
    """Return the border of each published cell under `community` as GeoJSON text, by cell id."""

    def draw() -> dict[int, str]:
        shapes = published_shapes(subtree(community)).values_list("cell_id", "geometry")
        return borders_of((cell, bytes(wkb)) for cell, wkb in shapes)

    found: dict[int, str] = _kept("borders", plan_token(community), draw)
    return found


def borders_of(rows: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """Return GeoJSON text by cell id; of very many corners, neighbours lose the same ones."""
    cells, wkbs = zip(*rows, strict=True) if (rows := list(rows)) else ((), ())
    shapes = from_wkb(list(wkbs))
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        # A stored border that crosses itself must not take the whole map away.
        shapes[broken] = shapely.make_valid(
            shapes[broken], method="structure", keep_collapsed=False
        )
    if get_num_coordinates(shapes).sum() > _MANY_CORNERS:
        shapes = shapely.coverage_simplify(shapes, _METRE)
    drawn = to_geojson(set_precision(shapes, _MICRODEGREE))
    return {cell: _short(text) for cell, text in zip(cells, drawn, strict=True)}


def middles(community: Community) -> dict[int, tuple[float, float]]:
    """Return a point (lon, lat) inside each published cell, where its label stands."""

    def find() -> Any:
        rows = published_shapes(subtree(community)).values_list("cell_id", "geometry")
        return {
            cell: tuple(round(each, _DIGITS) for each in shapely.point_on_surface(shape).coords[0])
            for cell, shape in ((cell, from_wkb(bytes(wkb))) for cell, wkb in rows)
        }

    found: dict[int, tuple[float, float]] = _kept("middles", plan_token(community), find)
    return found


def bounds(community: Community) -> list[list[float]] | None:
    """Return [[south, west], [north, east]] of the published cells, None where there are none."""

    def measure() -> Any:
        rows = published_shapes(subtree(community)).values_list("geometry", flat=True)
        west, south, east, north = shapely.total_bounds(from_wkb([bytes(wkb) for wkb in rows]))
        return [[south, west], [north, east]] if west == west else False

    return _kept("bounds", plan_token(community), measure) or None


def buildings_json(community: Community) -> bytes:
    """Return the outlines of all buildings as gzipped GeoJSON, one geometry."""
    rows = Building.objects.filter(community__in=subtree(community))
    return _outlines("buildings", community, rows)


def streets_json(community: Community) -> bytes:
    """Return all streets as gzipped GeoJSON, one geometry."""
    rows = Street.objects.filter(community__in=subtree(community))
    return _outlines("streets", community, rows)


def _outlines(name: str, community: Community, rows: Any) -> bytes:
    def draw() -> bytes:
        wkbs = [bytes(wkb) for wkb in rows.values_list("geometry", flat=True)]
        shapes = [each for each in simplify(from_wkb(wkbs), _LINE) if not each.is_empty]
        texts = [_short(text) for text in to_geojson(shapes)] if shapes else []
        body = f'{{"type":"GeometryCollection","geometries":[{",".join(texts)}]}}'
        return gzip.compress(body.encode(), 6, mtime=0)

    found: bytes = _kept(name, ground_token(community), draw)
    return found


def _short(text: str) -> str:
    """Write coordinates to about 10 cm, without spaces."""
    return json.dumps(_rounded(json.loads(text)), separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value


def _kept(name: str, token: str, draw: Callable[[], Any]) -> Any:
    key = f"maps:{name}:{token}"
    found = cache.get(key)
    if found is None:
        found = draw()
        cache.set(key, found, _KEEP_S)
    return found


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def shapes_of(community: Community) -> dict[int, CellShape]:
    """Return the published shapes under `community` without their geometry, by cell id."""
    shapes = published_shapes(subtree(community)).defer("geometry")
    return {shape.cell_id: shape for shape in shapes}
