"""Which stretches a phone's track has walked: each step of it goes to the nearest street."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString, Point

# A phone in a street is this far off its middle, at most.
TOLERANCE_M = 25.0
# Weaker positions say nothing about which street.
WORST_ACCURACY_M = 50.0
# Between points further apart than this, in time or in space, nobody knows the way.
GAP_SECONDS = 120.0
GAP_M = 150.0
# A street counts as walked when so much of it was.
WALKED_SHARE = 0.7
_STEP_M = 5.0


@dataclass(frozen=True, slots=True)
class Fix:
    """A phone's position: seconds from any beginning, metres on the plane."""

    seconds: float
    x: float
    y: float
    accuracy_m: float | None = None


def walked_shares(
    lines: Sequence[LineString], fixes: Sequence[Fix], *, tolerance: float = TOLERANCE_M
) -> list[float]:
    """Return for each line (metres) the share of it that the track walked, 0 to 1.

    Every few metres of the track count for the one nearest line within the tolerance, at the
    place they are nearest to: so who crosses a street or passes its mouth has not walked it.
    """
    if not lines:
        return []
    points = _filled(fixes)
    shares = [0.0] * len(lines)
    if not len(points):
        return shares
    tree = shapely.STRtree(list(lines))
    shapes = [Point(x, y) for x, y in points.tolist()]
    which, at = tree.query_nearest(shapes, max_distance=tolerance, all_matches=False)
    hit: dict[int, set[int]] = {}
    for point, number in zip(which.tolist(), at.tolist(), strict=True):
        place = lines[number].project(shapes[point])
        hit.setdefault(number, set()).add(int(place // (2 * _STEP_M)))
    for number, bins in hit.items():
        whole = math.ceil(lines[number].length / (2 * _STEP_M))
        shares[number] = min(1.0, len(bins) / max(1, whole))
    return shares


def walked(lines: Sequence[LineString], fixes: Sequence[Fix]) -> list[int]:
    """Return the indexes of the lines of which enough was walked."""
    shares = walked_shares(lines, fixes)
    return [number for number, share in enumerate(shares) if share >= WALKED_SHARE]


def _filled(fixes: Sequence[Fix]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return points every few metres along the track, where its way is known."""
    good = sorted(
        (fix for fix in fixes if fix.accuracy_m is None or fix.accuracy_m <= WORST_ACCURACY_M),
        key=lambda fix: fix.seconds,
    )
    points = [(fix.x, fix.y) for fix in good]
    for one, two in pairwise(good):
        metres = math.hypot(two.x - one.x, two.y - one.y)
        if two.seconds - one.seconds > GAP_SECONDS or metres > GAP_M:
            continue
        steps = math.ceil(metres / _STEP_M)
        for step in range(1, steps):
            share = step / steps
            points.append((one.x + (two.x - one.x) * share, one.y + (two.y - one.y) * share))
    return np.array(points, dtype=np.float64).reshape(-1, 2)
