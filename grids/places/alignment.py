"""Do new data lie where those that are there say they should? (pure)

A wrong datum shifts a town by some 500 m (GCJ-02) or 1 km (BD-09). Three ways of seeing it, the
surest first: things with the same id lie elsewhere; things of the same kind lie much closer to
known ones when read in another datum; streets run through houses and would not in another datum.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely import STRtree, points

from grids.places.datum import DATUMS, in_china, shift_from_wgs84, shift_to_wgs84

_SAMPLE = 2000
_LEAST = 30
_METRES_PER_DEGREE = 111_195
_FAR_M = 30_000
Points = npt.NDArray[np.float64]


@dataclass
class Ground:
    """Things on the ground (WGS84): middles of buildings by id, their outlines, street points."""

    middles: dict[str, tuple[float, float]] = field(default_factory=dict)
    outlines: list[Any] = field(default_factory=list)
    on_streets: list[tuple[float, float]] = field(default_factory=list)

    @property
    def anywhere(self) -> list[tuple[float, float]]:
        """Some point of each thing."""
        return list(self.middles.values()) or self.on_streets


class Sample:
    """Keeps an even sample of a stream of unknown length, the same one for the same stream."""

    def __init__(self, size: int = _SAMPLE) -> None:
        self.kept: list[Any] = []
        self._size, self._seen, self._chance = size, 0, Random(1)

    def offer(self, item: Any) -> None:
        """Take the item, or not."""
        self._seen += 1
        if len(self.kept) < self._size:
            self.kept.append(item)
        elif (place := self._chance.randrange(self._seen)) < self._size:
            self.kept[place] = item


@dataclass(frozen=True)
class Verdict:
    """What looks wrong: `code` "shifted", "moved", "far" or "swapped"; distances in metres."""

    code: str
    metres: int
    direction: str = ""
    datum: str = ""


def ground_of(rows: Iterable[tuple[str, Any]]) -> Ground:
    """Sort (id, geometry) pairs into middles, outlines and street points."""
    found = Ground()
    for name, shape in rows:
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            middle = shape.centroid
            found.middles[name] = (middle.x, middle.y)
            found.outlines.append(shape)
        else:
            for share in (0.2, 0.5, 0.8):
                at = shape.interpolate(share, normalized=True)
                found.on_streets.append((at.x, at.y))
    return found


def judge(new: Ground, there: Ground, *, datum: str) -> Verdict | None:
    """Say what looks wrong with `new`, which was read as `datum`, beside what is there."""
    if not new.anywhere or not there.anywhere:
        return None
    middle = np.median(np.array(new.anywhere), axis=0)
    centre = np.median(np.array(there.anywhere), axis=0)
    away = _metres(middle - centre, centre[1])
    reach = max(_metres(np.array(one) - centre, centre[1]) for one in there.anywhere)
    if away > reach + _FAR_M:
        if _metres(middle[::-1] - centre, centre[1]) <= reach + _FAR_M:
            return Verdict("swapped", round(away))
        return Verdict("far", round(away), _compass(middle - centre))
    moves = {name: _move(middle, datum, name) for name in DATUMS}
    return (
        _by_id(new, there, moves, datum)
        or _by_nearest(new, there, moves, datum)
        or _by_crossing(new, there, moves, datum)
    )


def _move(middle: Points, read_as: str, other: str) -> Points:
    """Return how far (degrees) data read as one datum would move if read as the other."""
    if not in_china(float(middle[0]), float(middle[1])):
        return np.zeros(2)
    at = middle.reshape(1, 2)
    moved: Points = (shift_to_wgs84(shift_from_wgs84(at, read_as), other) - at)[0]
    return moved


def _by_id(new: Ground, there: Ground, moves: dict[str, Points], datum: str) -> Verdict | None:
    """Compare things that have the same id: what is left after each move?"""
    both = [name for name in new.middles if name in there.middles]
    if len(both) < 5:
        return None
    old = np.array([there.middles[name] for name in both])
    off = np.array([new.middles[name] for name in both]) - old
    lat = float(old[0][1])
    left = {
        name: float(np.median([_metres(one + move, lat) for one in off]))
        for name, move in moves.items()
    }
    if left[datum] < 30:
        return None
    best = min(left, key=lambda name: left[name])
    if left[best] < 0.3 * left[datum]:
        return _shifted(moves[best], lat, best)
    typical = np.median(off, axis=0)
    return Verdict("moved", round(left[datum]), _compass(typical))


def _by_nearest(new: Ground, there: Ground, moves: dict[str, Points], datum: str) -> Verdict | None:
    """Compare with the nearest of the same kind: data that match do so in one datum only."""
    for ours, known in (
        (list(new.middles.values()), list(there.middles.values())),
        (new.on_streets, there.on_streets),
    ):
        if len(ours) < _LEAST or len(known) < _LEAST:
            continue
        lat = known[0][1]
        scale = np.array([math.cos(math.radians(lat)), 1.0]) * _METRES_PER_DEGREE
        tree = STRtree(points(np.array(known) * scale))
        left = {}
        for name, move in moves.items():
            moved = points((np.array(ours) + move) * scale)
            _, distance = tree.query_nearest(moved, return_distance=True, all_matches=False)
            left[name] = float(np.median(distance))
        best = min(left, key=lambda name: left[name])
        if left[datum] > 5 and left[best] < 0.25 * left[datum]:
            return _shifted(moves[best], lat, best)
    return None


def _by_crossing(
    new: Ground, there: Ground, moves: dict[str, Points], datum: str
) -> Verdict | None:
    """Count how many street points lie inside buildings: few, where both are right."""
    if new.outlines and there.on_streets:
        outlines, on_streets, sign = new.outlines, there.on_streets, -1.0
    elif there.outlines and new.on_streets:
        outlines, on_streets, sign = there.outlines, new.on_streets, 1.0
    else:
        return None
    if len(outlines) < _LEAST or len(on_streets) < _LEAST:
        return None
    tree, at = STRtree(outlines), np.array(on_streets)
    inside, near = {}, {}
    for name, move in moves.items():
        moved = points(at + sign * move)
        inside[name] = len(np.unique(tree.query(moved, predicate="intersects")[0]))
        reach = tree.query(moved, predicate="dwithin", distance=0.0005)[0]
        near[name] = max(len(np.unique(reach)), 1)
    share = {name: inside[name] / near[name] for name in moves}
    best = min(share, key=lambda name: share[name])
    enough = near[best] >= _LEAST and inside[datum] >= 10 and share[datum] > 0.04
    if enough and share[best] < 0.4 * share[datum]:
        return _shifted(moves[best], on_streets[0][1], best)
    return None


def _shifted(move: Points, lat: float, datum: str) -> Verdict:
    return Verdict("shifted", round(_metres(move, lat)), _compass(-move), datum)


def _metres(degrees: Sequence[float] | Points, lat: float) -> float:
    east = degrees[0] * math.cos(math.radians(lat))
    return float(math.hypot(east, degrees[1]) * _METRES_PER_DEGREE)


_COMPASS = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")


def _compass(degrees: Sequence[float] | Points) -> str:
    """Name the direction, one of eight."""
    turn = math.degrees(math.atan2(degrees[1], degrees[0]))
    return _COMPASS[round(turn / 45) % 8]
