"""Draw the routes of a tree's cells from its streets and published shapes; writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from grids.places.models import CellShape, Community, Street
from grids.places.queries import published_shapes, tree_of
from grids.zoning.plane import METRES_PER_DEGREE, Plane
from patrols.routes import cell as cells
from patrols.routes import network
from patrols.routes.models import CellRoute
from patrols.shifts.models import Activity, Kind

# Raised when the same streets would be walked another way: every route is made anew.
_VERSION = 1
_MINUTES = 90
# Street lines are stored to about a decimetre.
_DIGITS = 6


@dataclass(frozen=True)
class Meeting:
    """Where a cell's patrol meets, and how long it walks; the cell's middle where none is set."""

    name: str
    lat: float
    lon: float
    minutes: int


@dataclass(frozen=True)
class Drawn:
    """A cell's new route, as its row will hold it."""

    shape: CellShape
    fingerprint: str
    fields: dict[str, Any]


def stale(root: Community, *, only: Iterable[int] | None = None) -> Iterator[Drawn]:
    """Yield the new route of each cell of this tree whose stored one is not of today's map.

    The streets are cut once for all cells, and only if there is a cell to draw. `only` are ids
    of cells to look at.
    """
    communities = list(tree_of(root))
    shapes = published_shapes(communities)
    if only is not None:
        shapes = shapes.filter(cell__in=list(only))
    rows = list(shapes)
    if not rows:
        return
    streets = list(
        Street.objects.filter(community__in=communities)
        .order_by("community_id", "source_id")
        .values_list("community_id", "source_id", "name", "highway", "geometry")
    )
    lines = shapely.from_wkb(np.array([bytes(row[4]) for row in streets], dtype=object))
    marks = [_mark(row) for row in streets]
    tree = shapely.STRtree(lines)
    known = dict(
        CellRoute.objects.filter(plan__in={row.plan_id for row in rows}).values_list(
            "cell_id", "fingerprint"
        )
    )
    meetings = _meetings(communities)
    due = []
    for shape in rows:
        border = shapely.from_wkb(bytes(shape.geometry))
        meeting = meetings.get(shape.cell_id) or _middle(border)
        near = tree.query(_around(border)).tolist()
        print_ = _fingerprint(shape, meeting, [marks[at] for at in sorted(near)])
        if known.get(shape.cell_id) != print_:
            due.append((shape, border, meeting, print_))
    if not due:
        return
    plane = Plane.around(shapely.get_coordinates([border for _, border, _, _ in due]))
    whole = network.join(
        [
            network.StreetLine(f"{row[0]}:{row[1]}", row[2], plane.to_metres(line), row[3])
            for row, line in zip(streets, lines, strict=True)
        ]
    )
    stretches = shapely.STRtree([stretch.line for stretch in whole.stretches])
    for shape, border, meeting, print_ in due:
        net = network.clip(whole, plane.to_metres(border), stretches)
        yield Drawn(shape, print_, _fields(net, meeting, plane))


def _mark(row: tuple[Any, ...]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in (str(row[0]), row[1], row[2], row[3]):
        digest.update(part.encode() + b"\0")
    digest.update(bytes(row[4]))
    return digest.digest()


def _fingerprint(shape: CellShape, meeting: Meeting, streets: Sequence[bytes]) -> str:
    """Hash all that a cell's route is made of."""
    digest = hashlib.sha256(f"{_VERSION} {meeting!r}\n".encode())
    digest.update(bytes(shape.geometry))
    for mark in streets:
        digest.update(mark)
    return digest.hexdigest()


def _around(border: BaseGeometry) -> BaseGeometry:
    """Return a box in degrees that holds every street that may matter to a cell."""
    west, south, east, north = border.bounds
    high = (network.LINK_M + 2 * network.BORDER_M) / METRES_PER_DEGREE
    wide = high / max(float(np.cos(np.radians((south + north) / 2))), 0.01)
    box: BaseGeometry = shapely.box(west - wide, south - high, east + wide, north + high)
    return box


def _meetings(communities: list[Community]) -> dict[int, Meeting]:
    """Map cells to where their patrol meets: of several activities the oldest counts."""
    found: dict[int, Meeting] = {}
    rows = Activity.objects.filter(
        community__in=communities, kind=Kind.PATROL, active=True, cell__isnull=False
    ).order_by("-pk")
    for row in rows:
        if row.cell_id is not None and row.meeting_lat is not None and row.meeting_lon is not None:
            found[row.cell_id] = Meeting(
                row.meeting_name, row.meeting_lat, row.meeting_lon, row.duration_minutes
            )
    return found


def _middle(border: BaseGeometry) -> Meeting:
    point = border.representative_point()
    return Meeting("", point.y, point.x, _MINUTES)


def _fields(net: network.Network, meeting: Meeting, plane: Plane) -> dict[str, Any]:
    x, y = plane.metres(np.array([[meeting.lon, meeting.lat]]))[0].tolist()
    limit_m = cells.limit_of(meeting.minutes)
    route = cells.route(net, meeting=(x, y), limit_m=limit_m)
    at_lon, at_lat = meeting.lon, meeting.lat
    if route.tours:
        at_lon, at_lat = plane.degrees(net.xy[[route.problem.depot]])[0].tolist()
    used = {step.edge for tour in route.tours for step in tour.steps}
    kept = [at for at, s in enumerate(net.stretches) if s.required or at in used]
    place = {at: number for number, at in enumerate(kept)}
    stretches = []
    for at in kept:
        stretch = net.stretches[at]
        degrees = plane.degrees(np.array(stretch.line.coords)[:, :2])
        line = [(round(lon, _DIGITS), round(lat, _DIGITS)) for lon, lat in degrees.tolist()]
        stretches.append(
            {
                "key": network.key_of(stretch.street, line),
                "street": stretch.street,
                "name": stretch.name,
                "metres": round(stretch.metres, 1),
                "own": stretch.required,
                "line": line,
            }
        )
    tours = [
        {
            "metres": round(tour.cost, 1),
            "steps": [[place[s.edge], int(s.forward), int(s.serves)] for s in tour.steps],
        }
        for tour in route.tours
    ]
    unreached = [
        {**{k: stretches[place[at]][k] for k in ("key", "name", "metres")}, "reason": reason}
        for at, reason in sorted(route.unreached.items())
    ]
    return {
        "meeting_name": meeting.name,
        "meeting_lat": round(at_lat, _DIGITS),
        "meeting_lon": round(at_lon, _DIGITS),
        "limit_m": limit_m,
        "streets_m": round(route.streets_m, 1),
        "single_m": round(route.single_m, 1),
        "tours_m": round(route.tours_m, 1),
        "stretches": stretches,
        "tours": tours,
        "unreached": unreached,
    }
