"""Import a community's buildings from GeoJSON."""

from grids.places.geojson import read_buildings
from grids.places.imports import ImportCommand
from grids.places.services import import_buildings


class Command(ImportCommand):
    """Read buildings (EPSG:4326), all or nothing, errors by feature number."""

    help = "Import buildings from a GeoJSON FeatureCollection (EPSG:4326)."
    what = "buildings"
    read = staticmethod(read_buildings)
    write = staticmethod(import_buildings)
