"""Register this app under its own name, and what it adds to others."""

from datetime import timedelta

from django.apps import AppConfig


class CheckinsConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.checkins"
    label = "checkins"

    def ready(self) -> None:
        from common import jobs
        from grids.people import registries
        from patrols.checkins import evidence, queries, services
        from patrols.checkins.jobs import forget_positions, log_forgotten
        from timebank.earning.wording import add_evidence_reader

        add_evidence_reader(queries.SOURCE, evidence.read)
        registries.add_export_part("checkins", queries.export_of)
        registries.add_eraser(services.erase_positions_of)
        jobs.register(
            "checkins.forget_positions", every=timedelta(hours=6), run=forget_positions, long=True
        )
        jobs.register("checkins.log_forgotten", every=timedelta(hours=1), run=log_forgotten)
