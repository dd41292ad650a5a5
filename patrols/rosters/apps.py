"""Register this app under its own name, and what it adds to others."""

from django.apps import AppConfig


class RostersConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.rosters"
    label = "rosters"

    def ready(self) -> None:
        from grids.people import registries
        from patrols.rosters import queries, services

        registries.add_export_part("availability", queries.availability_of)
        registries.add_eraser(services.forget_availability)
