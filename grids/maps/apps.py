"""Register this app under its own name."""

from django.apps import AppConfig


class MapsConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.maps"
    label = "maps"

    def ready(self) -> None:
        from grids.maps import overlays

        overlays.register()
