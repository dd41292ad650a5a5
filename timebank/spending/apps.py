"""Register this app under its own name."""

from django.apps import AppConfig


class SpendingConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.spending"
    label = "spending"
