"""Register this app under its own name, and what it adds to others."""

from datetime import timedelta

from django.apps import AppConfig


class RoutesConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "patrols.routes"
    label = "routes"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from common import jobs
        from grids.maps import layers
        from grids.people import registries
        from patrols.routes import jobs as ours
        from patrols.routes import map_layer, on_pages, queries, services
        from patrols.shifts import panels

        registries.add_purpose(
            services.PURPOSE,
            title=_("Track while on patrol"),
            text=_(
                "From your check-in to your check-out your phone's position may be noted, to see "
                "which streets were walked. Nobody sees your track; it is erased after a few days."
            ),
            version="1",
        )
        registries.add_export_part("tracks", queries.export_of)
        registries.add_eraser(services.erase_tracks_of)
        for layer in map_layer.LAYERS:
            layers.register_layer(layer)
        layers.register_street_history(map_layer.times_walked)
        panels.add_to_shift(on_pages.shift_panel)
        panels.add_to_board(on_pages.board_panel)
        jobs.register("routes.refresh", every=timedelta(hours=1), run=ours.run_refresh, long=True)
        jobs.register("routes.count_walks", every=timedelta(minutes=10), run=ours.count_walks)
        jobs.register("routes.forget_tracks", every=timedelta(hours=6), run=ours.forget_tracks)
