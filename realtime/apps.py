"""Register this app under its own name, and its job."""

from datetime import timedelta

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "realtime"
    label = "realtime"

    def ready(self) -> None:
        from common import jobs
        from realtime import services

        jobs.register("realtime.prune", every=timedelta(hours=6), run=services.prune, long=True)
