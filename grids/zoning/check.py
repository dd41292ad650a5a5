"""Check a drawing without trusting the code that drew it."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import networkx as nx
import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from .plan import CellPlan
from .problem import Building, BuildingId


def each_once(plan: CellPlan, buildings: Iterable[Building]) -> list[str]:
    """Return a complaint for each building that is in no cell or in more than one."""
    times: dict[BuildingId, int] = {b.id: 0 for b in buildings}
    complaints = []
    for cell in plan.cells:
        for b in cell.buildings:
            if b in times:
                times[b] += 1
            else:
                complaints.append(f"building {b!r} was never given")
    return complaints + [f"building {b!r} is in {n} cells" for b, n in times.items() if n != 1]


def households(cell: Collection[BuildingId], dwellings: Mapping[BuildingId, int]) -> int:
    """Return the households of a cell, counted from its buildings."""
    return sum(dwellings[b] for b in cell)


def contiguous(nodes: Collection[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> bool:
    """Tell whether nodes hang together by edges between them; an empty cell does not."""
    graph: nx.Graph[Hashable] = nx.Graph()
    graph.add_nodes_from(nodes)
    inside = set(nodes)
    graph.add_edges_from((a, b) for a, b in edges if a in inside and b in inside)
    return len(inside) > 0 and nx.is_connected(graph)


def metres(shape: BaseGeometry) -> BaseGeometry:
    """Return a WGS84 shape in metres on a plane around its own middle."""
    if shape.is_empty:
        return shape
    west, south, east, north = shape.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    down = 6_371_008.8 * math.pi / 180
    scale = np.array([down * math.cos(math.radians(lat)), down])
    return shapely.transform(shape, lambda xy: (xy - np.array([lon, lat])) * scale)


def polsby_popper(shape: BaseGeometry) -> float:
    """Return 4πA/P² of a WGS84 shape: 1 for a circle, 0.785 for a square, 0 for nothing."""
    flat = metres(shape)
    return 4 * math.pi * flat.area / flat.length**2 if flat.length else 0.0


def overlap_m2(shapes: Sequence[BaseGeometry]) -> float:
    """Return the ground in square metres that belongs to more than one WGS84 shape."""
    if not shapes:
        return 0.0
    parts = list(shapely.get_parts(metres(shapely.geometrycollections(list(shapes)))))
    return float(sum(part.area for part in parts) - shapely.union_all(parts).area)


def shape_faults(plan: CellPlan, buildings: Iterable[Building]) -> list[str]:
    """Return a complaint for each shape that is invalid, empty, holed, overlaps or lost a house."""
    at = {b.id: shapely.Point(b.lon, b.lat) for b in buildings}
    complaints = []
    for cell in plan.cells:
        shape: Polygon | MultiPolygon = cell.polygon
        if shape.is_empty or not shape.is_valid:
            complaints.append(f"cell {cell.code}: empty or invalid shape")
            continue
        if any(part.interiors for part in shapely.get_parts(shape)):
            complaints.append(f"cell {cell.code}: a hole")
        lost = [b for b in cell.buildings if not shape.covers(at[b])]
        complaints += [f"cell {cell.code}: building {b!r} is outside" for b in lost]
    spare = overlap_m2([cell.polygon for cell in plan.cells])
    if spare > 1.0:
        complaints.append(f"cells overlap by {spare:.1f} m2")
    return complaints
