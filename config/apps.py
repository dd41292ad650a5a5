"""The app that knows all others: it holds the commands that start or show the whole."""

from django.apps import AppConfig


class LinliConfig(AppConfig):
    """Register `config` for its management commands, its cleaning and its checks."""

    name = "config"
    label = "config"
    verbose_name = "Linli"

    def ready(self) -> None:
        from config import checks, cleanup  # noqa: F401 (the import registers the checks)

        cleanup.register()
