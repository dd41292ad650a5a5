"""Import a community's streets from GeoJSON."""

from grids.places.geojson import read_streets
from grids.places.imports import ImportCommand
from grids.places.services import import_streets


class Command(ImportCommand):
    """Read streets (EPSG:4326), all or nothing, errors by feature number."""

    help = "Import streets from a GeoJSON FeatureCollection (EPSG:4326)."
    what = "streets"
    read = staticmethod(read_streets)
    write = staticmethod(import_streets)
