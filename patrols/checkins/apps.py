"""Register this app under its own name."""

from django.apps import AppConfig


class CheckinsConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.checkins"
    label = "checkins"
