"""Register this app under its own name."""

from django.apps import AppConfig


class ShiftsConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.shifts"
    label = "shifts"
