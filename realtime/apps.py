"""Register this app under its own name."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "realtime"
    label = "realtime"
