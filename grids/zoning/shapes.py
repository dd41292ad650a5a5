"""Turn cells of units into clean polygons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from .fabric import Fabric
from .regions import Bridge

CLOSING = 1.5
"""Bays narrower than this many margins (to each side) are filled, so that outlines run smooth."""
THIN = 0.25
"""How many margins apart the points are around which the built area is drawn."""
BAYS = (3.0, 6.0, 12.0)
"""How many margins wide the bays are that a cell may fill on its own ground, tried in turn."""
STRIP_M = 3.0
"""Width of the way out that a cell enclosed by one other gets."""
SIMPLIFY_M = (45.0, 30.0, 20.0, 12.0, 6.0, 2.0)
"""Tolerances tried in turn, the coarsest first, until each building is in its own cell."""


def draw(
    fabric: Fabric, cells: Sequence[Sequence[int]], bridges: Sequence[Bridge], *, margin_m: float
) -> list[Polygon | MultiPolygon]:
    """Return one shape in metres for each cell (a list of units).

    Shapes do not overlap, have no holes unless a cell encloses another, and contain the own points
    of their units. Borders are Voronoi edges, made smooth together as a coverage so that neighbours
    still share them; the outside follows the buildings at `margin_m`, with bays filled. A cell is a
    MultiPolygon only where it is joined over a gap that other cells' ground crosses.
    """
    if not cells:
        return []
    cell_of = np.full(len(fabric.xy), -1, dtype=np.int64)
    for c, units in enumerate(cells):
        cell_of[list(units)] = c
    land = _land(fabric, cell_of, bridges, margin_m)
    owner = cell_of[fabric.owner]
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], np.arange(len(cells)))
    groups = np.split(fabric.cells[order], starts[1:])
    ground = np.array([dissolve(group) for group in groups], dtype=object)
    rough = shapely.intersection(ground, land)
    tidy = one_piece(rough, fabric, cell_of)
    round_ = _fill_bays(tidy, ground, margin_m)
    smooth = _smooth(round_, fabric, cell_of)
    return _open_holes([areal(shape) for shape in smooth], fabric, cell_of)


def dissolve(patches: NDArray[Any]) -> BaseGeometry:
    """Return patches as one shape, by slower ways where vertices nearly coincide."""
    valid = shapely.make_valid(patches)
    ways: list[Callable[[], BaseGeometry]] = [
        lambda: shapely.coverage_union_all(patches),
        lambda: shapely.union_all(valid),
        lambda: shapely.union_all(shapely.buffer(valid, 0.001)),
    ]
    for way in ways:
        try:
            whole = way()
        except shapely.GEOSException:
            continue
        if whole.is_valid:
            return whole
    last: BaseGeometry = shapely.buffer(shapely.geometrycollections(list(valid)), 0)
    return last


def _land(
    fabric: Fabric, cell_of: NDArray[np.int64], bridges: Sequence[Bridge], margin_m: float
) -> BaseGeometry:
    """Return the built area in metres: a margin around all buildings, bays and holes filled."""
    # A disc every few metres is as good as one for each point, and five times faster.
    _, some = np.unique(np.rint(fabric.sites / (margin_m * THIN)), axis=0, return_index=True)
    discs = shapely.buffer(shapely.points(fabric.sites[np.sort(some)]), margin_m, quad_segs=4)
    strips = [
        shapely.buffer(shapely.linestrings(fabric.sites[list(b.sites)]), margin_m * 0.6)
        for b in bridges
        if cell_of[b.one] == cell_of[b.two]
    ]
    land = shapely.union_all(np.concatenate([discs, np.array(strips, dtype=object)]))
    wide = margin_m * CLOSING
    land = shapely.buffer(shapely.buffer(land, wide, quad_segs=4), -wide, quad_segs=4)
    land = shapely.union_all([Polygon(part.exterior) for part in shapely.get_parts(land)])
    return shapely.simplify(land, 1.0)


def one_piece(shapes: NDArray[Any], fabric: Fabric, cell_of: NDArray[np.int64]) -> NDArray[Any]:
    """Give away each fragment without an own building to the neighbour it borders most."""
    homes: list[list[BaseGeometry]] = []
    loose: list[tuple[int, BaseGeometry]] = []
    for c, shape in enumerate(shapes):
        bits = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 0]
        if len(bits) > 1:
            own = shapely.points(fabric.xy[cell_of == c])
            lived: list[BaseGeometry] = []
            empty: list[BaseGeometry] = []
            for bit in bits:
                shapely.prepare(bit)
                (lived if shapely.intersects(bit, own).any() else empty).append(bit)
            bits = lived or bits
            loose += [(c, bit) for bit in empty]
        homes.append(bits)
    result = np.array([shapely.union_all(bits) for bits in homes], dtype=object)
    tree = shapely.STRtree(result)
    for c, bit in loose:
        near = [int(k) for k in tree.query(bit, predicate="intersects") if k != c]
        shared = [shapely.intersection(bit, result[k]).length for k in near]
        if near and max(shared) > 0:
            k = near[int(np.argmax(shared))]
            result[k] = shapely.union(result[k], bit)
    return result


def _fill_bays(shapes: NDArray[Any], ground: NDArray[Any], margin_m: float) -> NDArray[Any]:
    """Let each cell take as much of its own open ground as makes it most compact.

    A cell's Voronoi ground reaches far beyond the buildings; two cells' grounds never overlap.
    """
    free = shapely.difference(ground, shapely.union_all(shapes))
    best = shapes.copy()
    score = _roundness(best)
    for bays in BAYS:
        reach = bays * margin_m
        full = shapely.buffer(shapely.buffer(shapes, reach, quad_segs=6), -reach, quad_segs=6)
        gain = shapely.intersection(full, free)
        trial = np.array(
            [
                _joined(shape, shapely.get_parts(extra))
                for shape, extra in zip(shapes, gain, strict=True)
            ],
            dtype=object,
        )
        value = _roundness(trial)
        better = (value > score) & (shapely.get_num_geometries(trial) <= 1)
        best[better], score[better] = trial[better], value[better]
    return best


def _joined(shape: BaseGeometry, extra: NDArray[Any]) -> BaseGeometry:
    """Return the shape with those extra pieces that border it along a line."""
    shapely.prepare(shape)
    touching = [
        bit
        for bit in extra[shapely.intersects(shape, extra)]
        if bit.geom_type == "Polygon" and shapely.intersection(shape, bit).length > 1
    ]
    return shapely.union_all([shape, *touching])


def _roundness(shapes: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = (
        4 * np.pi * shapely.area(shapes) / np.maximum(shapely.length(shapes), 1e-9) ** 2
    )
    return result


def _smooth(shapes: NDArray[Any], fabric: Fabric, cell_of: NDArray[np.int64]) -> NDArray[Any]:
    """Return the coverage with borders simplified as far as every building stays at home."""
    own = np.flatnonzero(cell_of >= 0)
    points = shapely.points(fabric.xy[own])
    best = shapes
    if not shapely.coverage_is_valid(shapes):
        shapes = shapely.set_precision(shapes, 0.01)
    for tolerance in SIMPLIFY_M:
        try:
            trial = shapely.coverage_simplify(shapes, tolerance)
        except shapely.GEOSException:
            continue
        if not shapely.is_valid(trial).all():
            continue
        shapely.prepare(trial)
        if shapely.contains_properly(trial[cell_of[own]], points).all():
            return trial
    return best


def _open_holes(
    shapes: list[Polygon | MultiPolygon], fabric: Fabric, cell_of: NDArray[np.int64]
) -> list[Polygon | MultiPolygon]:
    """Give each enclosed cell a narrow strip to the outside, so that no shape has a hole.

    A hole with no cell in it is filled. Where every strip would cut off a building, the hole stays.
    """
    result = list(shapes)
    for c in range(len(result)):
        for _ in range(len(getattr(result[c], "interiors", ()))):
            outer = result[c]
            if not isinstance(outer, Polygon) or not outer.interiors:
                break
            ring = Polygon(outer.interiors[0])
            inner = [
                k
                for k in shapely.STRtree(result).query(ring, predicate="intersects")
                # A part of a cell counts too: filling the hole would lay this cell over it.
                if k != c and shapely.intersection(ring, result[k], grid_size=0.001).area > 0.5
            ]
            own = shapely.points(fabric.xy[cell_of == c])
            if not inner:
                result[c] = Polygon(outer.exterior, outer.interiors[1:])
                continue
            for strip in _strips(ring, outer):
                # On a millimetre grid: exact overlay leaves spikes that cross after projection.
                rest = shapely.difference(outer, strip, grid_size=0.001)
                taken = shapely.intersection(outer, strip, grid_size=0.001)
                k = max(inner, key=lambda k: shapely.intersection(result[k], taken).length)
                grown = shapely.union(result[k], taken, grid_size=0.001)
                if (
                    rest.is_valid
                    and grown.is_valid
                    and isinstance(rest, Polygon)
                    and isinstance(grown, Polygon)
                    and len(rest.interiors) < len(outer.interiors)
                    and shapely.intersects(rest, own).all()
                ):
                    result[c], result[k] = rest, grown
                    break
            else:
                break
    return result


def _strips(ring: Polygon, outer: Polygon) -> list[BaseGeometry]:
    """Return strips from a hole to the outside, the shortest first."""
    starts = shapely.line_interpolate_point(
        ring.exterior, np.linspace(0, 1, 24, endpoint=False), normalized=True
    )
    ways = shapely.shortest_line(starts, outer.exterior)
    ways = ways[np.argsort(shapely.length(ways), kind="stable")]
    return list(shapely.buffer(ways, STRIP_M / 2, cap_style="square"))


def areal(shape: BaseGeometry) -> Polygon | MultiPolygon:
    """Return only the areas of a shape."""
    parts = [p for p in shapely.get_parts(shape) if isinstance(p, Polygon) and not p.is_empty]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
