"""The guards stand in the database itself, and their absence is seen."""

from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from common.unit_of_work import unit_of_work
from tests.factories import NOW, Town
from tests.ledger.factories import member_account
from timebank.ledger import guards
from timebank.ledger.models import Account, Posting, Seal, SealLeaf, Transfer
from timebank.ledger.seals import seal_ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(town: Town) -> Account:
    with unit_of_work():
        account = member_account(town.community, amount=100)
        seal_ledger(ledger=account.ledger, now=NOW)
    return account


@pytest.mark.parametrize("table", guards.FROZEN)
@pytest.mark.parametrize(
    "sql", ["UPDATE {} SET id = id", "DELETE FROM {}", "DELETE FROM {} WHERE 1 = 1"]
)
def test_what_is_written_stays(account: Account, table: str, sql: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql.format(table))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM ledger_account",
        "UPDATE ledger_account SET member_id = member_id + 1",
        "UPDATE ledger_account SET kind = 'fund'",
        "UPDATE ledger_account SET received_total = received_total - 1",
        "UPDATE ledger_account SET last_at = '2000-01-01 00:00:00'",
    ],
)
def test_an_account_keeps_its_owner_and_history(account: Account, sql: str) -> None:
    # Only the member's own account: the issue account has neither owner nor time.
    where = "" if sql.startswith("DELETE") else f" WHERE id = {account.pk}"
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql + where)


def test_rows_can_not_be_replaced_or_truncated(account: Account, on_postgres: bool) -> None:
    with connection.cursor() as cursor:
        guards._settle(cursor, connection.vendor)
    sql = (
        "TRUNCATE ledger_transfer CASCADE"
        if on_postgres
        else "INSERT OR REPLACE INTO ledger_seal SELECT * FROM ledger_seal"
    )
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


def drop(name: str) -> None:
    table = guards.wanted(connection)[name][0]
    with connection.cursor() as cursor:
        guards._settle(cursor, connection.vendor)
        cursor.execute(guards._drop(connection, name, table))


def test_a_missing_guard_is_named_and_put_back(account: Account) -> None:
    name = "ledger_transfer_no_update"
    assert run_checks(databases=["default"], tags=["database"]) == []
    drop(name)
    (error,) = run_checks(databases=["default"], tags=["database"])
    assert error.id == "ledger.E001"
    assert name in error.msg
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("verify_ledger", stdout=out)
    assert stopped.value.code == 1
    assert f"guard {name}" in out.getvalue()
    guards.install()
    assert guards.faults() == []


def test_a_guard_rewritten_to_do_nothing_is_named(account: Account, on_postgres: bool) -> None:
    with connection.cursor() as cursor:
        if on_postgres:
            guards._settle(cursor, connection.vendor)
            cursor.execute(
                "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger "
                "LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
            )
            cursor.execute("ALTER TABLE ledger_seal DISABLE TRIGGER ledger_seal_no_update")
            expected = ["ledger_refuse", "ledger_seal_no_update"]
        else:
            drop("ledger_seal_no_update")
            cursor.execute(
                "CREATE TRIGGER ledger_seal_no_update BEFORE UPDATE ON ledger_seal "
                "BEGIN SELECT 1; END"
            )
            expected = ["ledger_seal_no_update"]
    assert guards.faults() == expected
    guards.install()
    assert guards.faults() == []


@pytest.mark.django_db(transaction=True)
def test_the_test_runner_can_flush() -> None:
    from tests.factories import a_community

    with unit_of_work():
        member_account(a_community().community, amount=100)
    assert Posting.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_and_the_guards_stand_again_afterwards() -> None:
    assert not Posting.objects.exists()
    assert not Transfer.objects.exists()
    assert not Seal.objects.exists()
    assert not SealLeaf.objects.exists()
    assert guards.faults() == []
