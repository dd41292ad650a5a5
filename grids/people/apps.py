"""Register this app under its own name, and its cleaning with the worker."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.people"
    label = "people"

    def ready(self) -> None:
        from grids.people import cleanup, rules, schema  # noqa: F401 (the import registers it)
        from grids.places import rules as map_rules

        cleanup.register()
        map_rules.ask(
            lambda actor, community: rules.administers(actor, community=community),
            lambda actor, community: rules.cells_led(actor, community=community),
        )
