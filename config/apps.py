"""The app that knows all others: it holds the commands that start or show the whole."""

from django.apps import AppConfig


class LinliConfig(AppConfig):
    """Register `config` for its management commands."""

    name = "config"
    label = "config"
    verbose_name = "Linli"
