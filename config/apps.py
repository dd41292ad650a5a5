"""The app that knows all others: it holds the commands that start or show the whole."""

from django.apps import AppConfig


class LinliConfig(AppConfig):
    """Register `config` for its commands, cleaning and checks; name what the admin shows."""

    name = "config"
    label = "config"
    verbose_name = "Linli"

    def ready(self) -> None:
        from config import checks, cleanup, naming  # noqa: F401 (importing registers the checks)

        cleanup.register()
        naming.translate_names()
