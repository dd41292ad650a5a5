"""How far a position is from where the duty is: pure geometry on WGS84."""

import math

import numpy as np
import shapely

METRES_PER_DEGREE = 111_195.0
MEETING_RADIUS_M = 100.0


def metres_outside(area: "shapely.Geometry", *, lat: float, lon: float) -> float:
    """Return metres from the point to `area` (WGS84), 0 inside or on the border.

    A flat projection around the point: exact to well under a metre within a few kilometres, and
    still of the right order for a phone in another town.
    """
    if shapely.intersects_xy(area, lon, lat):
        return 0.0
    scale = np.array([METRES_PER_DEGREE * math.cos(math.radians(lat)), METRES_PER_DEGREE])
    flat = shapely.transform(area, lambda points: (points - (lon, lat)) * scale)
    return float(shapely.distance(flat, shapely.Point(0, 0)))


def metres_from_meeting(*, lat: float, lon: float, meeting_lat: float, meeting_lon: float) -> float:
    """Return metres outside the circle of MEETING_RADIUS_M around a meeting point, 0 within."""
    point = shapely.Point(meeting_lon, meeting_lat)
    return max(0.0, metres_outside(point, lat=lat, lon=lon) - MEETING_RADIUS_M)
