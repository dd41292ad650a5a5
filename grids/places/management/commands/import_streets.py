"""Import a community's streets from GeoJSON."""

from grids.places.imports import MapCommand


class Command(MapCommand):
    """Read streets (EPSG:4326), all or nothing, errors by feature number."""

    help = "Import streets from a GeoJSON FeatureCollection (EPSG:4326)."
    what = "streets"
