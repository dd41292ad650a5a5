"""The leaf that every app stands on."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Register `common` under its own name."""

    name = "common"
    label = "common"
