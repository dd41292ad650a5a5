"""From street lines to a network of stretches: cut where streets meet, clipped to a cell.

All coordinates are metres on a flat plane (`grids.zoning.plane`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

Floats = NDArray[np.float64]

# Streets that end this near to another meet it: maps are drawn by hand.
SNAP_M = 2.0
# A street this near to a cell's border is the cell's, and its neighbour's as well.
BORDER_M = 15.0
# What sticks into a cell by less than this is the next cell's.
STUB_M = 25.0
# Ways so far outside may be walked to get from one street of the cell to another.
LINK_M = 300.0
# Longer stretches are cut, so that a tour can turn round in a long country road.
LONGEST_M = 400.0
# Nobody walks there.
NOT_FOR_FEET = frozenset({"motorway", "motorway_link", "trunk", "trunk_link"})


@dataclass(frozen=True, slots=True)
class StreetLine:
    """A street as it is stored, its line in metres."""

    id: str
    name: str
    line: BaseGeometry
    highway: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of one street between two nodes; `required`: the cell's own, else a link."""

    street: str
    name: str
    a: int
    b: int
    line: LineString
    required: bool = True

    @property
    def metres(self) -> float:
        """Return its length."""
        return float(self.line.length)


@dataclass(frozen=True)
class Network:
    """Stretches over nodes, whose places are `xy` (n, 2)."""

    xy: Floats
    stretches: tuple[Stretch, ...]

    def nearest(self, x: float, y: float, among: Iterable[int] | None = None) -> int:
        """Return the node nearest to a point; of equally near ones the first."""
        wanted = sorted(set(range(len(self.xy)) if among is None else among))
        if not wanted:
            raise ValueError("there is no node")
        away = np.hypot(*(self.xy[wanted] - (x, y)).T)
        return wanted[int(away.argmin())]


def key_of(street: str, line: Sequence[tuple[float, float]]) -> str:
    """Name a stretch by its street and place in degrees; the same whichever way it is walked."""
    ends = sorted((round(lon, 5), round(lat, 5)) for lon, lat in (line[0], line[-1]))
    middle = line[len(line) // 2] if len(line) % 2 else line[0]
    parts = [street, *map(repr, ends), repr(round(len(line) and _degrees(line), 5))]
    if len(line) % 2 and len(line) > 1:
        parts.append(repr((round(middle[0], 5), round(middle[1], 5))))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=10).hexdigest()


def _degrees(line: Sequence[tuple[float, float]]) -> float:
    return sum(math.dist(a, b) for a, b in pairwise(line))


def join(streets: Sequence[StreetLine], *, snap: float = SNAP_M) -> Network:
    """Cut streets where they cross, touch or end near each other, and name their nodes.

    Lines drawn twice count once. What nobody may walk is left out.
    """
    owners, parts = _parts(streets)
    if not parts:
        return Network(np.empty((0, 2)), ())
    lines = np.array(parts, dtype=object)
    cuts = _cuts(lines, snap)
    pieces: list[tuple[int, LineString]] = []
    for at, line in enumerate(parts):
        for piece in _cut(line, cuts[at], snap):
            pieces += [(owners[at], short) for short in _shortened(piece)]
    ends = np.array([point for _, piece in pieces for point in _ends(piece)])
    node_of, xy = _clustered(ends, snap)
    found: list[Stretch] = []
    twins: dict[tuple[int, int], list[LineString]] = {}
    for at, (owner, piece) in enumerate(pieces):
        a, b = int(node_of[2 * at]), int(node_of[2 * at + 1])
        if a == b and piece.length <= 4 * snap:
            continue
        alike = twins.setdefault((min(a, b), max(a, b)), [])
        if any(_same(piece, other, snap) for other in alike):
            continue
        alike.append(piece)
        street = streets[owner]
        found.append(Stretch(street.id, street.name, a, b, piece))
    return Network(xy, tuple(found))


def _parts(streets: Sequence[StreetLine]) -> tuple[list[int], list[LineString]]:
    """Return single, simple lines and whose street each is of."""
    owners, parts = [], []
    for at, street in enumerate(streets):
        if street.highway in NOT_FOR_FEET or street.line.is_empty:
            continue
        for line in shapely.get_parts(street.line):
            if not isinstance(line, LineString) or line.length <= 0.1:
                continue
            flat = shapely.force_2d(line)
            pieces = [flat] if flat.is_simple else shapely.get_parts(shapely.node(flat)).tolist()
            for piece in pieces:
                owners.append(at)
                parts.append(piece)
    return owners, parts


def _cuts(lines: NDArray[np.object_], snap: float) -> list[list[float]]:
    """Return for each line the lengths along it at which another meets it."""
    cuts: list[list[float]] = [[] for _ in lines]
    left, right = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=snap)
    once = left < right
    left, right = left[once], right[once]
    for i, j, meeting in zip(
        left.tolist(), right.tolist(), shapely.intersection(lines[left], lines[right]), strict=True
    ):
        points = _points(shapely.get_coordinates(meeting))
        for near, far in ((i, j), (j, i)):
            tips = _points(np.array(_ends(lines[far])))
            close = tips[shapely.distance(tips, lines[near]) <= snap]
            for place in (points, close):
                if len(place):
                    cuts[near] += shapely.line_locate_point(lines[near], place).tolist()
    return cuts


def _cut(line: LineString, cuts: list[float], snap: float) -> list[LineString]:
    """Cut a line at these lengths; those within `snap` of each other or of its ends are one."""
    length = line.length
    marks = [0.0]
    for cut in sorted(cuts):
        if cut - marks[-1] > snap and length - cut > snap:
            marks.append(cut)
    if len(marks) == 1:
        return [line]
    marks.append(length)
    return [_piece(line, a, b) for a, b in pairwise(marks)]


def _shortened(line: LineString) -> list[LineString]:
    parts = math.ceil(line.length / LONGEST_M)
    if parts < 2:
        return [line]
    share = line.length / parts
    return [_piece(line, share * at, share * (at + 1)) for at in range(parts)]


def _ends(line: LineString) -> list[tuple[float, float]]:
    coordinates = shapely.get_coordinates(line)
    return [tuple(coordinates[0].tolist()), tuple(coordinates[-1].tolist())]


def _piece(line: LineString, start: float, end: float) -> LineString:
    found = substring(line, start, end)
    assert isinstance(found, LineString)
    return found


def _points(coordinates: Floats) -> NDArray[np.object_]:
    found: NDArray[np.object_] = np.atleast_1d(np.asarray(shapely.points(coordinates)))
    return found


def _clustered(points: Floats, snap: float) -> tuple[NDArray[np.int64], Floats]:
    """Give points within `snap` of each other one node; return each point's node, the nodes."""
    parent = list(range(len(points)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    shapes = _points(points)
    left, right = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=snap)
    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        a, b = root(i), root(j)
        if a != b:
            parent[max(a, b)] = min(a, b)
    roots = [root(at) for at in range(len(points))]
    number = {at: index for index, at in enumerate(sorted(set(roots)))}
    return np.array([number[at] for at in roots]), points[sorted(number)]


def _same(one: LineString, other: LineString, snap: float) -> bool:
    """Say whether two stretches between the same nodes lie on each other."""
    if abs(one.length - other.length) > 2 * snap:
        return False
    return float(shapely.hausdorff_distance(one, other)) <= 2 * snap


def clip(network: Network, border: BaseGeometry, tree: shapely.STRtree | None = None) -> Network:
    """Return a cell's network: its streets as required, others around it as links.

    A street is the cell's where it runs inside the border or within BORDER_M of it: one along
    the border is walked from both sides. A street that leaves is cut there. `tree` is a
    tree of all stretches' lines, made once for many cells.
    """
    if tree is None:
        tree = shapely.STRtree([stretch.line for stretch in network.stretches])
    zone = shapely.buffer(border, BORDER_M, quad_segs=4)
    around = shapely.buffer(zone, LINK_M, quad_segs=2)
    shapely.prepare(zone)
    xy = [tuple(point) for point in network.xy.tolist()]
    found: list[Stretch] = []
    for at in sorted(tree.query(around, predicate="intersects").tolist()):
        stretch = network.stretches[at]
        if shapely.covers(zone, stretch.line):
            found.append(stretch)
        elif not shapely.intersects(zone, stretch.line):
            found.append(_as(stretch, stretch.a, stretch.b, stretch.line, required=False))
        else:
            found += _divided(stretch, zone, xy)
    found = _without_dead_ends(found)
    used = sorted({node for stretch in found for node in (stretch.a, stretch.b)})
    number = {node: at for at, node in enumerate(used)}
    return Network(
        np.array([xy[node] for node in used], dtype=float).reshape(-1, 2),
        tuple(_as(s, number[s.a], number[s.b], s.line, required=s.required) for s in found),
    )


def _without_dead_ends(stretches: list[Stretch]) -> list[Stretch]:
    """Drop links that lead nowhere: no shortest way between the cell's streets takes them."""
    while True:
        degree = Counter(node for stretch in stretches for node in (stretch.a, stretch.b))
        kept = [
            stretch
            for stretch in stretches
            if stretch.required
            or (degree[stretch.a] > 1 and degree[stretch.b] > 1 and stretch.a != stretch.b)
        ]
        if len(kept) == len(stretches):
            return kept
        stretches = kept


def _divided(stretch: Stretch, zone: BaseGeometry, xy: list[tuple[float, float]]) -> list[Stretch]:
    """Cut a stretch at a zone's border; new nodes are added to `xy`."""
    line, length = stretch.line, stretch.line.length
    crossings = shapely.get_coordinates(shapely.intersection(line, zone.boundary))
    marks = [0.0]
    for cut in sorted(line.project(point) for point in _points(crossings)):
        if cut - marks[-1] > 1.0 and length - cut > 1.0:
            marks.append(cut)
    marks.append(length)
    inside = [
        bool(shapely.intersects(zone, line.interpolate((a + b) / 2)))
        and (b - a >= STUB_M or len(marks) == 2)
        for a, b in pairwise(marks)
    ]
    # Neighbours that are alike stay one piece.
    kept = [0.0]
    kept += [marks[at] for at in range(1, len(inside)) if inside[at] != inside[at - 1]]
    kept.append(length)
    wanted = [inside[marks.index(mark)] for mark in kept[:-1]]
    if len(wanted) == 1:
        return [_as(stretch, stretch.a, stretch.b, line, required=wanted[0])]
    nodes = [stretch.a]
    for mark in kept[1:-1]:
        point = line.interpolate(mark)
        xy.append((point.x, point.y))
        nodes.append(len(xy) - 1)
    nodes.append(stretch.b)
    return [
        _as(stretch, nodes[at], nodes[at + 1], _piece(line, kept[at], kept[at + 1]), required=own)
        for at, own in enumerate(wanted)
    ]


def _as(stretch: Stretch, a: int, b: int, line: LineString, *, required: bool) -> Stretch:
    return Stretch(stretch.street, stretch.name, a, b, line, required)


def point_of(network: Network, node: int) -> Point:
    """Return a node's place."""
    return Point(*network.xy[node])
