"""Import the borders of communities from GeoJSON."""

from grids.places.imports import MapCommand


class Command(MapCommand):
    """Read borders (EPSG:4326) by the code or name in their properties, all or nothing."""

    help = "Import boundaries from a GeoJSON FeatureCollection (EPSG:4326)."
    what = "boundaries"
