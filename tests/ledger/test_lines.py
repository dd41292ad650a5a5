"""An account's lines: all of them, once, in order, and along an index however large the books."""

from datetime import timedelta

import pytest
from django.db import connection

from common.unit_of_work import unit_of_work
from tests.factories import NOW, Town
from timebank.ledger import queries
from timebank.ledger.models import Account, Posting
from timebank.ledger.queries import Lines
from timebank.ledger.services import Move, ensure_account, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(town: Town) -> list[Account]:
    """Issue and two purses, with lines going to and fro, minutes apart."""
    with unit_of_work(now=NOW):
        found = [ensure_account(community=town.community, kind="issue", now=NOW)] + [
            ensure_account(community=town.community, kind="member", member=member, now=NOW)
            for member in town.volunteers[:2]
        ]
    issue, a, b = (account.pk for account in found)
    for number, (debit, credit) in enumerate([(issue, a), (issue, b), (a, b), (b, a), (a, b)]):
        at = NOW + timedelta(minutes=number)
        with unit_of_work(now=at):
            moves = [Move(debit=debit, credit=credit, amount=100 - number)]
            post(actor=None, key=str(number), reason=Posting.Reason.GIVEN, moves=moves, now=at)
    return [Account.objects.get(pk=account.pk) for account in found]


def amounts(lines: Lines) -> list[int]:
    return [line.amount for line in lines]


def test_both_sides_in_the_order_of_time(accounts: list[Account]) -> None:
    lines = queries.lines_of(accounts[1])
    assert amounts(lines) == [100, 98, 97, 96]
    newest = lines.order_by("-at", "-pk")
    assert amounts(newest) == [96, 97, 98, 100]
    assert [line.amount for line in newest[:3]] == [96, 97, 98]
    later = lines.filter(at__gte=NOW + timedelta(minutes=3))
    assert [line.amount for line in later[:1]] == [97]
    assert amounts(queries.lines_of(accounts[0])) == [100, 99]


def test_the_balance_at_any_moment(accounts: list[Account]) -> None:
    moments = [NOW + timedelta(minutes=number) for number in range(6)]
    balances = [[queries.balance_of(one, before=moment) for moment in moments] for one in accounts]
    assert balances == [
        [0, -100, -199, -199, -199, -199],
        [0, 100, 100, 2, 99, 3],
        [0, 0, 99, 197, 100, 196],
    ]


def test_each_side_goes_along_its_index(accounts: list[Account], on_postgres: bool) -> None:
    """Else PostgreSQL walks the whole table backwards: seconds at ten million transfers."""
    newest = queries.lines_of(accounts[1]).order_by("-at", "-pk")
    during = newest.filter(at__gte=NOW, at__lt=NOW + timedelta(days=30))
    for lines in (newest, during):
        for side, index in zip(lines._sides, ("debit", "credit"), strict=True):
            sql, params = side[:20].query.sql_with_params()
            with connection.cursor() as cursor:
                if on_postgres:
                    # A few rows are read faster without: the question is whether it could.
                    cursor.execute("SET LOCAL enable_seqscan = off")
                    cursor.execute("SET LOCAL enable_sort = off")
                    cursor.execute(f"EXPLAIN {sql}", params)
                else:
                    cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
            assert f"transfer_by_{index}_at" in plan
            assert "TEMP B-TREE" not in plan
            assert "Sort" not in plan
