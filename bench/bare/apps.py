"""The bare project's one app: no migrations, `migrate --run-syncdb` makes its tables."""

from django.apps import AppConfig


class BareConfig(AppConfig):
    """A plain DRF project."""

    name = "bench.bare"
    label = "bare"
