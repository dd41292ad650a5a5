"""Register this app under its own name."""

from django.apps import AppConfig


class ZoningConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.zoning"
    label = "zoning"
