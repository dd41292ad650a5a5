"""Point in cell, in memory: an STRtree of boxes over the published shapes.

Each process holds one index and looks at most once a second whether a plan was published
since, so a change made by any process is followed within that second.
"""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Max
from shapely import STRtree, from_wkb, intersects_xy, points, prepare

from grids.places.models import CellPlan
from grids.places.queries import published_shapes

_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class _Index:
    token: tuple[Any, ...]
    cells: npt.NDArray[np.int64]
    shapes: list[Any]
    tree: STRtree


_lock = threading.Lock()
_kept: _Index | None = None
_looked_at = float("-inf")


def _token() -> tuple[Any, ...]:
    """Tell one set of published plans from another."""
    found = CellPlan.objects.filter(state=CellPlan.State.PUBLISHED).aggregate(
        latest=Max("id"), at=Max("published_at"), count=Count("id")
    )
    return (found["latest"], found["at"], found["count"])


def forget() -> None:
    """Drop the index: called after this process has published a plan."""
    global _looked_at
    _looked_at = float("-inf")


def _current() -> _Index:
    global _kept, _looked_at
    kept = _kept
    if kept is not None and time.monotonic() - _looked_at < _LOOK_EVERY_S:
        return kept
    with _lock:
        token = _token()
        if _kept is None or _kept.token != token:
            # Ordered by cell id: a point on a shared border goes to the lower id, always.
            rows = list(published_shapes().values_list("cell_id", "geometry"))
            shapes = [from_wkb(bytes(geometry)) for _, geometry in rows]
            prepare(shapes)
            cells = np.array([cell for cell, _ in rows], dtype=np.int64)
            _kept = _Index(token=token, cells=cells, shapes=shapes, tree=STRtree(shapes))
        _looked_at = time.monotonic()
        return _kept


def locate(*, lat: float, lon: float) -> int | None:
    """Return the id of the cell that holds this WGS84 point, or None."""
    found = locate_many(lats=np.array([lat]), lons=np.array([lon]))
    return None if found[0] < 0 else int(found[0])


def locate_many(
    *, lats: npt.NDArray[np.float64], lons: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return one cell id per point (degrees, WGS84), -1 outside all cells."""
    index = _current()
    found = np.full(len(lats), -1, dtype=np.int64)
    if not index.shapes:
        return found
    # Boxes first; then each shape, prepared once, judges all points of its box in one call: half
    # the time of asking the tree for "intersects", which prepares the points instead.
    point, shape = index.tree.query(points(lons, lats))
    order = np.argsort(shape, kind="stable")
    point, shape = point[order], shape[order]
    starts = np.flatnonzero(np.diff(shape, prepend=-1))
    # From the highest shape down, so that the lowest cell id is what stays.
    for first, last in reversed(list(pairwise([*starts.tolist(), len(shape)]))):
        some, which = point[first:last], shape[first]
        inside = some[intersects_xy(index.shapes[which], lons[some], lats[some])]
        found[inside] = index.cells[which]
    return found
