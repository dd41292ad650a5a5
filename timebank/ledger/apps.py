"""Install the guards, seal the books daily, and tell people what belongs to them."""

from datetime import timedelta

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate


class LedgerConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.ledger"
    label = "ledger"

    def ready(self) -> None:
        from common import jobs
        from common.locks import Turn
        from grids.people import registries
        from timebank.ledger import guards, personal, seals

        post_migrate.connect(guards.install_after_migrate, sender=self)
        checks.register(checks.Tags.database)(guards.check_guards)
        jobs.register("seal the ledgers", every=timedelta(days=1), run=seals.seal_all)
        registries.add_me_part("account", personal.me_part)
        registries.add_export_part("accounts", personal.export_part)
        registries.add_eraser(personal.erase, locks=Turn.ACCOUNTS)
