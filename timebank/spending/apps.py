"""Tell the others about spending: jobs, topics, personal data."""

from datetime import timedelta
from typing import Any

from django.apps import AppConfig


class SpendingConfig(AppConfig):
    """See docs/map.md for what lives here."""

    name = "timebank.spending"
    label = "spending"

    def ready(self) -> None:
        from common import jobs as common_jobs
        from grids.people import registries
        from realtime import registry
        from timebank.ledger import events as ledger_events
        from timebank.spending import jobs, personal, rules
        from timebank.spending.models import Partner

        def partner_topics(account: Any) -> list[str]:
            ids = Partner.objects.filter(organisation_id=account.organisation_id)
            return [f"partner:{pk}" for pk in ids.values_list("pk", flat=True)]

        ledger_events.register_topics("partner", partner_topics)
        registry.register("partner", may_subscribe=rules.may_watch)
        common_jobs.register(
            "make coming servings", every=timedelta(hours=1), run=jobs.make_servings, long=True
        )
        common_jobs.register("lapse bookings", every=timedelta(minutes=10), run=jobs.lapse_bookings)
        common_jobs.register(
            "forget old pay codes", every=timedelta(days=1), run=jobs.forget_pay_codes
        )
        registries.add_export_part("bookings", personal.export_part)
        registries.add_eraser(personal.erase)
