"""Register this app under its own name."""

from django.apps import AppConfig


class RostersConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.rosters"
    label = "rosters"
