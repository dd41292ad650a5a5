"""Register this app under its own name."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.ledger"
    label = "ledger"
