"""Register this app under its own name, and what it adds to a person's data."""

from django.apps import AppConfig


class EarningConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.earning"
    label = "earning"

    def ready(self) -> None:
        from grids.people import registries
        from timebank.earning import queries

        registries.add_export_part("hours", queries.export_of)
