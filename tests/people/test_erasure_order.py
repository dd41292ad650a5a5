"""In which order an erasure goes through the apps."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.locks import Turn
from common.unit_of_work import unit_of_work
from grids.people import registries, services
from grids.people.models import Member
from tests.factories import NOW, ShiftFactory, Town, take
from timebank.ledger.models import Account
from timebank.ledger.services import ensure_account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def test_erasure_locks_in_the_written_order(town: Town) -> None:
    """Shifts and seats before accounts, as everybody else: or two would wait for each other."""
    member = town.volunteers[0]
    take(ShiftFactory(community=town.community).seats.get(index=1), member)
    with unit_of_work() as work:
        ensure_account(
            community=town.community, kind=Account.Kind.MEMBER, member=member, now=work.now
        )
    with CaptureQueriesContext(connection) as queries, unit_of_work(member) as work:
        services.erase_member(member=member, actor=member, now=work.now)
    changed = [
        found[1]
        for query in queries.captured_queries
        if (found := re.match(r'UPDATE "(\w+)"', query["sql"]))
    ]
    first = {table: changed.index(table) for table in reversed(changed)}
    assert first["shifts_seat"] < first["ledger_account"]
    assert first["shifts_shift"] < first["ledger_account"]


def test_erasers_run_in_the_order_of_what_they_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "erasers", [])
    ran: list[str] = []
    for name, locks in (("a", Turn.ACCOUNTS), ("b", Turn.SHIFTS), ("c", Turn.MEMBERS)):
        registries.add_eraser(lambda who, now, name=name: ran.append(name), locks=locks)
    for erase in registries.erasers:
        erase(Member(), NOW)
    assert ran == ["c", "b", "a"]
