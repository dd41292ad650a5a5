"""Register this app under its own name."""

from django.apps import AppConfig


class EarningConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.earning"
    label = "earning"
