"""Read buildings, streets and borders from GeoJSON (pure): every feature is taken, repaired or
refused with its number, never dropped silently.
"""

from grids.places.findings import Unreadable
from grids.places.geojson.rows import (
    BORDERS,
    BUILDINGS,
    STREETS,
    BorderRow,
    BuildingRow,
    Kind,
    Reading,
    StreetRow,
    read_buildings,
    read_rows,
    read_streets,
)
from grids.places.geojson.stream import stream_features

__all__ = [
    "BORDERS",
    "BUILDINGS",
    "STREETS",
    "BorderRow",
    "BuildingRow",
    "Kind",
    "Reading",
    "StreetRow",
    "Unreadable",
    "read_buildings",
    "read_rows",
    "read_streets",
    "stream_features",
]
