"""Register this app under its own name."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.people"
    label = "people"
