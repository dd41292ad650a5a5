"""Import a community's buildings from GeoJSON."""

from grids.places.imports import MapCommand


class Command(MapCommand):
    """Read buildings (EPSG:4326), all or nothing, errors by feature number."""

    help = "Import buildings from a GeoJSON FeatureCollection (EPSG:4326)."
    what = "buildings"
