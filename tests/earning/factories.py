"""Hour logs as other services would have written them."""

from datetime import date
from itertools import count
from typing import Any

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from tests.factories import NOW, Town
from timebank.earning.models import HourLog
from timebank.earning.services import log_hours

_sources = count(1)


def logged(town: Town, member: Member | None = None, **changed: Any) -> HourLog:
    """Log 90 minutes of patrol for the first volunteer, entered by themselves, untrusted."""
    who = member or town.volunteers[0]
    facts: dict[str, Any] = {
        "member": who,
        "community": town.community,
        "category": "patrol",
        "title": "夜间巡逻",
        "worked_on": date(2026, 6, 1),
        "minutes": 90,
        "source_type": "seat",
        "source_id": 1_000_000 + next(_sources),
        "evidence": {},
        "trusted": False,
        "actor": who,
        "now": NOW,
        **changed,
    }
    with unit_of_work(facts["actor"], now=NOW):
        return log_hours(**facts)
