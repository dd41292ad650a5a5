"""Register this app under its own name, with its guards and its jobs."""

from datetime import timedelta

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate


class ShiftsConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.shifts"
    label = "shifts"

    def ready(self) -> None:
        from common import jobs
        from common.locks import Turn
        from grids.maps import layers
        from grids.people import registries
        from patrols.shifts import guards, map_layer, queries, rules, services
        from patrols.shifts import jobs as ours
        from realtime import registry

        post_migrate.connect(guards.install_after_migrate, sender=self, dispatch_uid="seat-guards")
        checks.register(guards.check_guards, checks.Tags.database)
        registries.add_export_part("shifts", queries.export_of)
        registries.add_eraser(services.release_coming_seats, locks=Turn.SHIFTS)
        layers.register_coverage(map_layer.marks_of_tonight)
        layers.register_history(map_layer.held_between)
        registry.register("community", may_subscribe=rules.may_watch_community)
        registry.register("cell", may_subscribe=rules.may_watch_cell)
        jobs.register("make_shifts", every=timedelta(hours=1), run=ours.run, long=True)
        jobs.register("mark missed seats", every=timedelta(minutes=10), run=ours.mark_missed)
