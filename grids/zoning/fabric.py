"""The fabric of a town: each building's patch of ground and whom it borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from .plane import Floats, Plane
from .problem import Building, Options, ProblemError, Street

Ints = NDArray[np.int64]

SPACING_M = 12.0
"""Between points sampled on a wall; finer costs time and moves borders by centimetres."""
INSET_M = 0.6
"""How far samples lie inside the wall, so that two houses sharing a wall share no sample."""
JITTER_M = 0.05
"""How far samples are moved at random (always the same way), to be no regular pattern."""
LEAST_BORDER_M = 1.0
"""Patches that touch along less are not neighbours: the drawn cell would hang on a point."""

RANK_COST = {
    # What cutting between two buildings costs, by the greatest street between them. Small streets
    # count little: borders that follow each of them grow long.
    **dict.fromkeys(("motorway", "trunk", "rail", "river"), 0.3),
    **dict.fromkeys(("primary", "secondary"), 0.5),
    "tertiary": 0.75,
    **dict.fromkeys(("residential", "unclassified", "living_street", "pedestrian", "road"), 0.85),
    **dict.fromkeys(("service", "track", "footway", "path", "cycleway", "steps"), 0.95),
}
OTHER_STREET_COST = 0.85
NO_STREET_COST = 1.1
SAME_STREET_COST = 0.15
"""Added where both buildings carry the same street name."""
SAME_SIDE_COST = 0.25
"""Added where both buildings stand on the same side of the same street."""
SAME_ESTATE_COST = 1.0
"""Added inside an estate."""
ESTATE_LIMIT_COST = 0.4
"""What a cut along an estate's limit costs at most."""
SIDE_M = 50.0
"""How far from a street a building may stand to be on a side of it."""
SIDED = frozenset(
    ("trunk", "primary", "secondary", "tertiary", "residential", "unclassified", "living_street")
) | frozenset(("pedestrian", "road"))
"""Ranks of streets that houses stand along."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """Hold the units of a town, their patches and borders, in metres.

    A unit is a building, or several at the very same point, which no border can part. `of_unit`
    lists building indices per unit. `area` and `outline` are the patch's area and the part of its
    perimeter that faces open land. `pairs` (m, 2) are neighbouring units with `border` metres
    shared and `cost` of cutting there. `gaps` (g, 2) are site pairs of units that are neighbours
    only across open land, `gap_m` apart. `barred` are units with a neighbour behind a barrier.
    `sites` with `owner` (unit) made the patches; `cells` are
    their unclipped Voronoi polygons.
    """

    plane: Plane
    xy: Floats
    households: Ints
    of_unit: list[list[int]]
    area: Floats
    outline: Floats
    pairs: Ints
    border: Floats
    cost: Floats
    gaps: Ints
    gap_sites: Ints
    gap_m: Floats
    barred: frozenset[int]
    sites: Floats
    owner: Ints
    cells: NDArray[Any]


def weave(
    buildings: Sequence[Building],
    streets: Sequence[Street],
    options: Options,
) -> Fabric:
    """Return the fabric of a town.

    Patches are Voronoi regions of points sampled on the walls, cut off a margin away from them.
    Because a point of a region is nearest to its own site, cutting at a distance is a circle around
    that site: areas, borders and outlines come in closed form, without polygon overlay. Raises
    ProblemError for coordinates that are no numbers or out of range, negative dwellings and ids
    given twice.
    """
    _refuse(buildings)
    margin_m = options.margin_m
    lonlat = np.array([[b.lon, b.lat] for b in buildings], dtype=np.float64).reshape(-1, 2)
    plane = Plane.around(lonlat)
    points = plane.metres(lonlat)
    of_unit, unit_of = _units(points)
    xy = points[[members[0] for members in of_unit]] if of_unit else points
    households = np.array(
        [sum(buildings[i].dwellings for i in members) for members in of_unit], dtype=np.int64
    )
    sites, owner = _sites(buildings, plane, xy, unit_of)
    cells = voronoi(sites, margin_m)
    area, outline, links, border = _measure(sites, owner, cells, margin_m, len(of_unit))
    over = _barred(links, sites, owner, xy, _barriers(streets, options, plane))
    for side in (0, 1):
        np.add.at(outline, owner[links[over, side]], border[over])
    barred = frozenset(owner[links[over]].ravel().tolist())
    links, border = links[~over], border[~over]
    pairs, shared, pair_of = _merge(owner[links], border, len(of_unit))
    near = shared >= LEAST_BORDER_M
    far = np.flatnonzero(~near[pair_of])
    length = np.hypot(*(sites[links[far, 0]] - sites[links[far, 1]]).T)
    # The shortest site pair of each two units that are neighbours only across open land.
    far = far[np.argsort(length, kind="stable")]
    _, first = np.unique(pair_of[far], return_index=True)
    chosen = far[np.sort(first)]
    pairs, shared = pairs[near], shared[near]
    return Fabric(
        plane=plane,
        xy=xy,
        households=households,
        of_unit=of_unit,
        area=area,
        outline=outline,
        pairs=pairs,
        border=shared,
        cost=_cut_cost(buildings, streets, options, plane, xy, of_unit, pairs),
        gaps=owner[links[chosen]].reshape(-1, 2),
        gap_sites=links[chosen].reshape(-1, 2),
        gap_m=np.hypot(*(sites[links[chosen, 0]] - sites[links[chosen, 1]]).T),
        barred=barred,
        sites=sites,
        owner=owner,
        cells=cells,
    )


def _refuse(buildings: Sequence[Building]) -> None:
    seen = set()
    for b in buildings:
        if b.id in seen:
            raise ProblemError(f"building {b.id!r} is given twice")
        seen.add(b.id)
        if not (-180 <= b.lon <= 180 and -90 <= b.lat <= 90):
            raise ProblemError(f"building {b.id!r}: no such place, lon {b.lon}, lat {b.lat}")
        if b.dwellings < 0:
            raise ProblemError(f"building {b.id!r}: {b.dwellings} dwellings")


def _units(points: Floats) -> tuple[list[list[int]], Ints]:
    """Return the building indices of each unit and the unit of each building."""
    at: dict[tuple[int, int], int] = {}
    of_unit: list[list[int]] = []
    unit_of = np.zeros(len(points), dtype=np.int64)
    for i, (x, y) in enumerate(np.rint(points * 10).astype(np.int64)):
        unit = at.setdefault((int(x), int(y)), len(of_unit))
        if unit == len(of_unit):
            of_unit.append([])
        of_unit[unit].append(i)
        unit_of[i] = unit
    return of_unit, unit_of


def _sites(
    buildings: Sequence[Building], plane: Plane, xy: Floats, unit_of: Ints
) -> tuple[Floats, Ints]:
    """Return the sampled points and their unit; each unit's own point comes first."""
    shaped = [
        i
        for i, b in enumerate(buildings)
        if b.footprint is not None and not b.footprint.is_empty and b.footprint.area > 0
    ]
    sites, owner = xy, np.arange(len(xy), dtype=np.int64)
    if shaped:
        walls = plane.to_metres(np.array([buildings[i].footprint for i in shaped], dtype=object))
        solid = shapely.buffer(shapely.simplify(walls, 0.5), -INSET_M, join_style="mitre")
        lines = shapely.segmentize(shapely.boundary(solid), SPACING_M)
        extra, index = shapely.get_coordinates(lines, return_index=True)
        unit = unit_of[np.array(shaped)[index]]
        # Where footprints overlap, samples inside another house would tear its patch apart.
        point, house = shapely.STRtree(solid).query(shapely.points(extra), predicate="within")
        foreign = unit_of[np.array(shaped)[house]] != unit[point]
        keep = np.ones(len(extra), dtype=bool)
        keep[point[foreign]] = False
        # Square houses give many points on one circle, where Voronoi vertices are ill-conditioned.
        extra += np.random.default_rng(0).uniform(-JITTER_M, JITTER_M, extra.shape)
        sites = np.vstack([sites, extra[keep]])
        owner = np.concatenate([owner, unit[keep]])
    # The first of equal points wins, so a unit never loses its own.
    _, first = np.unique(np.rint(sites * 20).astype(np.int64), axis=0, return_index=True)
    first.sort()
    return sites[first], owner[first]


def voronoi(sites: Floats, margin_m: float) -> NDArray[Any]:
    """Return each site's Voronoi polygon; ghosts far around make one point or a line work too."""
    if len(sites) == 0:
        return np.array([], dtype=object)
    low, high = sites.min(axis=0), sites.max(axis=0)
    reach = float((high - low).max()) + 40 * margin_m
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False) + 0.1
    ghosts = (low + high) / 2 + 1.5 * reach * np.column_stack([np.cos(turn), np.sin(turn)])
    cloud = shapely.multipoints(np.vstack([sites, ghosts]))
    cells = shapely.get_parts(shapely.voronoi_polygons(cloud, ordered=True))
    result: NDArray[Any] = cells[: len(sites)]
    return result


def _measure(
    sites: Floats, owner: Ints, cells: NDArray[Any], reach: float, units: int
) -> tuple[Floats, Floats, Ints, Floats]:
    """Return area and outline per unit, and site pairs of different units with shared metres."""
    area, outline = np.zeros(units), np.zeros(units)
    if len(sites) == 0:
        return area, outline, np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    ends, index = shapely.get_coordinates(cells, return_index=True)
    same = index[1:] == index[:-1]
    at, a, b = index[:-1][same], ends[:-1][same], ends[1:][same]
    centre = sites[at]
    pa, pb = a - centre, b - centre
    along = pb - pa
    length = np.hypot(along[:, 0], along[:, 1])
    safe = np.where(length > 0, length, 1.0)
    height = np.abs(pa[:, 0] * pb[:, 1] - pa[:, 1] * pb[:, 0]) / safe
    # Where the edge's line is inside the circle, measured from the foot of the perpendicular.
    half = np.sqrt(np.maximum(reach**2 - height**2, 0.0))
    start = (pa * along).sum(axis=1) / safe
    low, high = np.maximum(start, -half), np.minimum(start + length, half)
    inside = np.maximum(high - low, 0.0)
    tall = np.maximum(height, 1e-9)
    angle = np.arctan2(start + length, tall) - np.arctan2(start, tall)
    within = np.where(inside > 0, np.arctan2(high, tall) - np.arctan2(low, tall), 0.0)
    open_angle = np.maximum(angle - within, 0.0)
    np.add.at(area, owner[at], 0.5 * height * inside + 0.5 * reach**2 * open_angle)
    np.add.at(outline, owner[at], reach * open_angle)

    # An edge belongs to the two sites that list it, once in each direction.
    flip = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    key = np.where(flip[:, None], np.hstack([b, a]), np.hstack([a, b]))
    order = np.lexsort(key.T)
    twin = (key[order][1:] == key[order][:-1]).all(axis=1)
    one, two = order[:-1][twin], order[1:][twin]
    apart = owner[at[one]] != owner[at[two]]
    one, two = one[apart], two[apart]
    return area, outline, np.column_stack([at[one], at[two]]), inside[one]


def _merge(units: Ints, amount: Floats, count: int) -> tuple[Ints, Floats, Ints]:
    """Return distinct unit pairs (low, high) with amounts summed, sorted."""
    low, high = units.min(axis=1, initial=count), units.max(axis=1, initial=0)
    key, where = np.unique(low * np.int64(count + 1) + high, return_inverse=True)
    total = np.bincount(where, weights=amount, minlength=len(key)).astype(np.float64)
    pairs = np.column_stack([key // (count + 1), key % (count + 1)]).astype(np.int64)
    return pairs, total, where


def _barriers(streets: Sequence[Street], options: Options, plane: Plane) -> NDArray[Any]:
    """Return the barriers as straight segments in metres."""
    shapes = [s.line for s in streets if s.highway in options.hard] + list(options.barriers)
    lines = [s if "Line" in s.geom_type else shapely.boundary(s) for s in shapes if not s.is_empty]
    if not lines:
        return np.array([], dtype=object)
    flat = shapely.get_parts(plane.to_metres(np.array(lines, dtype=object)))
    points, index = shapely.get_coordinates(flat, return_index=True)
    same = index[1:] == index[:-1]
    return np.asarray(shapely.linestrings(np.stack([points[:-1][same], points[1:][same]], 1)))


def _barred(
    links: Ints, sites: Floats, owner: Ints, xy: Floats, barriers: NDArray[Any]
) -> NDArray[np.bool_]:
    """Tell for each link of two sites whether the way between their buildings is barred.

    The way goes from building to building through both sites, so that a house whose corner lies
    over a railway does not lead across it.
    """
    over = np.zeros(len(links), dtype=bool)
    if len(barriers) and len(links):
        a, b = links.T
        ways = shapely.linestrings(np.stack([xy[owner[a]], sites[a], sites[b], xy[owner[b]]], 1))
        way, _ = shapely.STRtree(barriers).query(ways, predicate="intersects")
        over[way] = True
    return over


def _sides(
    buildings: Sequence[Building], streets: Sequence[Street], plane: Plane, xy: Floats
) -> Ints:
    """Return for each unit a number for the street it stands along and the side; -1 for none."""
    sides = np.full(len(xy), -1, dtype=np.int64)
    along = [s for s in streets if s.highway is None or s.highway in SIDED]
    if not along or not len(xy):
        return sides
    parts, way = shapely.get_parts(
        plane.to_metres(np.array([s.line for s in along], dtype=object)), return_index=True
    )
    points = np.asarray(shapely.points(xy))
    unit, part = shapely.STRtree(parts).query_nearest(
        points, max_distance=SIDE_M, all_matches=False
    )
    line = parts[part]
    at = shapely.line_locate_point(line, points[unit])
    a = shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(at - 1.0, 0.0)))
    b = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 1.0))
    d, p = b - a, xy[unit] - a
    left = d[:, 0] * p[:, 1] - d[:, 1] * p[:, 0] > 0
    sides[unit] = 2 * way[part] + left
    return sides


def _estates(
    buildings: Sequence[Building],
    options: Options,
    plane: Plane,
    xy: Floats,
    of_unit: list[list[int]],
) -> Ints:
    """Return a number for each unit's estate; -1 for none. A named estate goes before an area."""
    estate = np.full(len(xy), -1, dtype=np.int64)
    if options.estates:
        areas = plane.to_metres(shapely.make_valid(np.array(options.estates, dtype=object)))
        unit, area = shapely.STRtree(areas).query(shapely.points(xy), predicate="intersects")
        estate[unit] = area
    number: dict[object, int] = {}
    for u, members in enumerate(of_unit):
        for i in members:
            name = buildings[i].estate
            if name is not None:
                estate[u] = number.setdefault(name, len(options.estates) + len(number))
                break
    return estate


def _cut_cost(
    buildings: Sequence[Building],
    streets: Sequence[Street],
    options: Options,
    plane: Plane,
    xy: Floats,
    of_unit: list[list[int]],
    pairs: Ints,
) -> Floats:
    """Return what cutting each pair costs: little across a main street, most with none between.

    More inside an estate and along one side of a street, where buildings belong together.
    """
    cost = np.full(len(pairs), NO_STREET_COST if streets else 1.0)
    if not len(pairs):
        return cost
    if streets:
        lines = plane.to_metres(np.array([s.line for s in streets], dtype=object))
        ways = shapely.linestrings(xy[pairs])
        pair, street = shapely.STRtree(lines).query(ways, predicate="intersects")
        rank = np.array([RANK_COST.get(s.highway or "", OTHER_STREET_COST) for s in streets])
        np.minimum.at(cost, pair, rank[street])
    a, b = pairs.T
    number: dict[str | None, int] = {None: -1}
    names = np.array(
        [
            number.setdefault(
                next((buildings[i].street for i in m if buildings[i].street), None), len(number)
            )
            for m in of_unit
        ]
    )
    cost[(names[a] >= 0) & (names[a] == names[b])] += SAME_STREET_COST
    sides = _sides(buildings, streets, plane, xy)
    cost[(sides[a] >= 0) & (sides[a] == sides[b])] += SAME_SIDE_COST
    estate = _estates(buildings, options, plane, xy, of_unit)
    same = estate[a] == estate[b]
    cost[~same] = np.minimum(cost[~same], ESTATE_LIMIT_COST)
    cost[same & (estate[a] >= 0)] += SAME_ESTATE_COST
    return cost
