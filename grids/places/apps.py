"""Register this app under its own name."""

from datetime import timedelta

from django.apps import AppConfig


class PlacesConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "grids.places"
    label = "places"

    def ready(self) -> None:
        from common import jobs
        from grids.places import plans

        jobs.register("publish plans", every=timedelta(minutes=1), run=plans.publish_due)
