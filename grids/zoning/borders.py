"""Change some cells of a plan by hand: the sides of a drawn line, new borders.

Everything else in the plan stays to the last corner: only the border between the cells that take
part is drawn anew, inside the ground that they held together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from .edit import Neighbours, neighbours_of
from .fabric import Fabric, voronoi, weave
from .plane import Floats
from .problem import Band, Building, BuildingId, Options, Street
from .shapes import SIMPLIFY_M, areal, dissolve, one_piece

Shape = Polygon | MultiPolygon
CellId = int
GRID_M = 0.001
"""Overlay on a millimetre grid: exact overlay leaves spikes that cross after projection."""
FAR = 4.0
"""A drawn line is prolonged at both ends by this many diameters of the two cells."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Hold a town's fabric and its neighbours: woven once, for many edits.

    `unit` is the unit of each building, `members` the buildings of each unit.
    """

    fabric: Fabric
    neighbours: Neighbours
    unit: Mapping[BuildingId, int]
    members: Sequence[Sequence[BuildingId]]
    margin_m: float


def ground(
    buildings: Sequence[Building],
    streets: Sequence[Street] = (),
    *,
    band: Band | None = None,
    options: Options | None = None,
) -> Ground:
    """Return the ground of a town, by the same rules as `draw_cells`."""
    options = options or Options()
    fabric = weave(buildings, streets, options)
    members = [[buildings[i].id for i in unit] for unit in fabric.of_unit]
    return Ground(
        fabric=fabric,
        neighbours=neighbours_of(buildings, fabric, band=band, options=options),
        unit={b: u for u, those in enumerate(members) for b in those},
        members=members,
        margin_m=options.margin_m,
    )


def whole_units(land: Ground, buildings: Collection[BuildingId]) -> list[BuildingId]:
    """Return the buildings with those at the very same point: no border can part them."""
    units = dict.fromkeys(land.unit[b] for b in buildings)
    return [b for u in units for b in land.members[u]]


def sides(
    land: Ground,
    line: Sequence[tuple[float, float]],
    one: CellId,
    other: CellId,
    cells: Mapping[BuildingId, CellId],
    shapes: Mapping[CellId, Shape],
    dwellings: Mapping[BuildingId, int],
) -> dict[BuildingId, CellId]:
    """Return the cell of each building of two cells if `line` (lon, lat) were their border.

    The line is prolonged straight on at both ends. Each piece of the two cells' ground goes to
    the cell that has most of its households now; if that left one of them without a piece, the
    piece where it is strongest is its own. A line that does not divide the ground changes nothing.
    """
    plane = land.fabric.plane
    both = [b for b in cells if cells[b] in (one, other)]
    homes = land.fabric.xy[[land.unit[b] for b in both]]
    area = shapely.union_all(
        [plane.to_metres(shapes[one]), plane.to_metres(shapes[other]), shapely.multipoints(homes)]
    )
    area = shapely.convex_hull(area).buffer(1.0)
    points = plane.metres(np.array(line, dtype=np.float64).reshape(-1, 2))
    cut = _prolonged(points, area)
    edges = shapely.node(shapely.union_all([area.boundary, cut]))
    parts = [
        p
        for p in shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
        if area.contains(p.representative_point())
    ]
    if len(parts) < 2:
        return {b: cells[b] for b in both}
    where = np.zeros(len(both), dtype=np.int64)
    at, part = shapely.STRtree(parts).query(shapely.points(homes), predicate="intersects")
    where[at] = part
    # A building without households counts a little, so that a yard of sheds has a side too.
    share: list[dict[CellId, float]] = [{one: 0.0, other: 0.0} for _ in parts]
    for k, b in enumerate(both):
        share[int(where[k])][cells[b]] += dwellings[b] + 0.01
    owner = [one if s[one] >= s[other] else other for s in share]
    lived = [k for k, s in enumerate(share) if s[one] + s[other] > 0]
    for mine, theirs in ((one, other), (other, one)):
        if len(lived) > 1 and all(owner[k] == theirs for k in lived):
            owner[max(lived, key=lambda k: share[k][mine] - share[k][theirs])] = mine
    return {b: owner[int(where[k])] for k, b in enumerate(both)}


def _prolonged(points: Floats, area: BaseGeometry) -> BaseGeometry:
    """Return the line, going straight on far beyond the area at both ends."""
    keep = [0]
    for i in range(1, len(points)):
        if np.hypot(*(points[i] - points[keep[-1]])) > 0.01:
            keep.append(i)
    points = points[keep]
    if len(points) < 2:
        return LineString()
    west, south, east, north = area.bounds
    reach = FAR * max(east - west, north - south, 1.0)
    ends = []
    for end, inner in ((points[0], points[1]), (points[-1], points[-2])):
        way = end - inner
        ends.append(end + way / np.hypot(*way) * reach)
    return LineString([ends[0], *points, ends[1]])


def reshape(
    land: Ground,
    cells: Mapping[CellId, Collection[BuildingId]],
    shapes: Mapping[CellId, Shape],
) -> dict[CellId, Shape]:
    """Return new WGS84 shapes of the `cells` whose buildings have changed.

    `cells` are all buildings of each cell that takes part, `shapes` the shapes of the whole plan.
    The cells divide among themselves the ground that they have now along Voronoi edges, made
    smooth; a building that stood outside all cells brings its own patch.
    """
    fabric, plane = land.fabric, land.fabric.plane
    keys = [key for key in cells if cells[key]]
    cell_of = np.full(len(fabric.xy), -1, dtype=np.int64)
    for c, key in enumerate(keys):
        cell_of[[land.unit[b] for b in cells[key]]] = c
    old = [shapely.make_valid(plane.to_metres(shapes[key])) for key in cells if key in shapes]
    whole = shapely.union_all(old, grid_size=GRID_M)
    # Of the sites that take part alone: so all the ground is theirs, without slivers of others'.
    mine = cell_of[fabric.owner] >= 0
    patches, owner = voronoi(fabric.sites[mine], land.margin_m), cell_of[fabric.owner][mine]
    rest = _with_patches(land, whole, cell_of, shapes, set(cells))
    parts: list[BaseGeometry] = []
    for c in range(len(keys) - 1):
        patch = dissolve(patches[owner == c])
        taken = areal(shapely.intersection(rest, patch, grid_size=GRID_M))
        parts.append(taken)
        rest = areal(shapely.difference(rest, taken, grid_size=GRID_M))
    parts.append(rest)
    tidy = one_piece(np.array(parts, dtype=object), fabric, cell_of)
    smooth = _smoothed(tidy, fabric, cell_of)
    result: dict[CellId, Shape] = {}
    for key, shape in zip(keys, smooth, strict=True):
        result[key] = areal(shapely.make_valid(plane.to_degrees(areal(shape))))
    everything = {**shapes, **result}
    for key in keys:
        others = [shape for other, shape in everything.items() if other != key]
        result[key] = everything[key] = _filled(result[key], others)
    return result


def _filled(shape: Shape, others: Sequence[Shape]) -> Shape:
    """Return the shape without those holes that hold no ground of another cell."""
    if not shapely.get_num_interior_rings(shapely.get_parts(shape)).any():
        return shape
    parts = []
    for part in shapely.get_parts(shape):
        assert isinstance(part, Polygon)
        rings = [
            ring
            for ring in part.interiors
            if any(
                shapely.relate_pattern(Polygon(ring), other, "T********")
                for other in others
                if other.intersects(ring)
            )
        ]
        parts.append(Polygon(part.exterior, rings))
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _with_patches(
    land: Ground,
    area: BaseGeometry,
    cell_of: NDArray[Any],
    shapes: Mapping[CellId, Shape],
    taking_part: set[CellId],
) -> BaseGeometry:
    """Return the area with the patches of those buildings that stand outside it."""
    fabric = land.fabric
    own = np.flatnonzero(cell_of >= 0)
    shapely.prepare(area)
    outside = own[~shapely.intersects(area, shapely.points(fabric.xy[own]))]
    if not len(outside):
        return area
    sites = np.isin(fabric.owner, outside)
    discs = shapely.union_all(
        shapely.buffer(shapely.points(fabric.sites[sites]), land.margin_m, quad_segs=4)
    )
    patch = shapely.intersection(dissolve(fabric.cells[sites]), discs, grid_size=GRID_M)
    others = [fabric.plane.to_metres(s) for key, s in shapes.items() if key not in taking_part]
    near = [s for s in others if s.intersects(patch)]
    free = shapely.difference(patch, shapely.union_all(near), grid_size=GRID_M)
    return shapely.union(area, free, grid_size=GRID_M)


def _smoothed(parts: NDArray[Any], fabric: Fabric, cell_of: NDArray[Any]) -> NDArray[Any]:
    """Return the parts with the borders between them simplified, their outside as it is."""
    own = np.flatnonzero(cell_of >= 0)
    points = shapely.points(fabric.xy[own])
    if not shapely.coverage_is_valid(parts):
        return parts
    for tolerance in SIMPLIFY_M:
        try:
            trial = shapely.coverage_simplify(parts, tolerance, simplify_boundary=False)
        except shapely.GEOSException:
            continue
        if not shapely.is_valid(trial).all():
            continue
        shapely.prepare(trial)
        if shapely.intersects(trial[cell_of[own]], points).all():
            return trial
    return parts
