"""Register this app under its own name."""

from django.apps import AppConfig


class PlacesConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.places"
    label = "places"
