"""Every kind of tampering with the books is found and named."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from common.unit_of_work import unit_of_work
from tests.factories import NOW, MemberFactory, Town
from tests.ledger.factories import member_account
from timebank.ledger import guards
from timebank.ledger.models import Account, Posting, Transfer
from timebank.ledger.seals import seal_ledger
from timebank.ledger.services import Move, hold, post, resolve, reverse
from timebank.ledger.verify import verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(town: Town) -> dict[str, Account]:
    """A ledger in which everything happened once; the last hold is open and unsealed."""
    with unit_of_work():
        a = member_account(town.community, amount=500)
        b = member_account(town.community, amount=100)
        given = post(actor=a.member, key="g", reason="given", moves=[Move(a.pk, b.pk, 50)], now=NOW)
        say = {"actor": None, "debit": a.pk, "credit": b.pk, "now": NOW, "source": ("x", 1)}
        for key, phase, amount in [("p", "post", 10), ("v", "void", None), ("e", "expire", None)]:
            kept = hold(key=f"h{key}", amount=30, **say)
            resolve(
                actor=None, key=key, pending_id=kept.pk, phase=phase, now=NOW, reason="redeemed",
                amount=amount,
            )  # fmt: skip
        reverse(actor=None, key="r", posting_id=given.pk, reason_text="mistake", now=NOW)
        seal_ledger(ledger=a.ledger, now=NOW)
        post(actor=None, key="g2", reason="given", moves=[Move(a.pk, b.pk, 5)], now=NOW)
        seal_ledger(ledger=a.ledger, now=NOW + timedelta(days=1))
        hold(key="open", amount=7, **say)
    return {"a": a, "b": b}


def test_honest_books_are_in_order(books: dict[str, Account], town: Town) -> None:
    report = verify()
    assert report.faults == []
    assert (report.postings, report.transfers, report.seals, report.sealed) == (12, 12, 2, 11)
    out = StringIO()
    call_command("verify_ledger", community=town.community.code, stdout=out)
    assert "12 transfers, 2 seals" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("verify_ledger", community="nowhere")


TAMPERINGS = [
    ("UPDATE ledger_account SET balance = balance + 1 WHERE id = {a}", "its balance is"),
    ("UPDATE ledger_account SET held = held - 1 WHERE id = {a}", "its held amount is"),
    ("UPDATE ledger_account SET spent_total = 0 WHERE id = {a}", "its total spent is"),
    ("UPDATE ledger_account SET received_total = 0 WHERE id = {a}", "its total received is"),
    ("UPDATE ledger_account SET last_at = '2030-01-01 00:00' WHERE id = {a}", "its last time is"),
    ("UPDATE ledger_account SET kind = 'fund' WHERE id = {a}", "it is not what was sealed"),
    ("UPDATE ledger_account SET member_id = {member} WHERE id = {a}", "it is not what was sealed"),
    ("UPDATE ledger_account SET floor = NULL WHERE id = {a}", "its floor is not set"),
    ("UPDATE ledger_transfer SET amount = amount + 1 WHERE id = {first}", "payload hash"),
    ("UPDATE ledger_transfer SET debit_balance = 1 WHERE id = {first}", "balance-after"),
    ("UPDATE ledger_transfer SET credit_received_total = 1 WHERE id = {first}", "balance-after"),
    ("UPDATE ledger_transfer SET at = '2020-01-01 00:00' WHERE id = {first}", "its time is not"),
    ("UPDATE ledger_transfer SET phase = 'posted', pending_of_id = NULL WHERE phase = 'void'",
     "payload hash"),
    ("UPDATE ledger_transfer SET credit_id = {a}, debit_id = {b} WHERE id = {last}",
     "payload hash"),
    ("DELETE FROM ledger_transfer WHERE id = {last}", "it has no transfer"),
    ("UPDATE ledger_posting SET memo = 'x' WHERE key = 'g'", "payload hash"),
    ("UPDATE ledger_posting SET reason = 'earned' WHERE key = 'g'", "payload hash"),
    ("UPDATE ledger_posting SET key = 'z' WHERE key = 'g'", "payload hash"),
    ("UPDATE ledger_posting SET actor_id = NULL WHERE key = 'g'", "its actor is not its scope"),
    ("UPDATE ledger_posting SET source_id = 99 WHERE key = 'open'", "payload hash"),
    ("UPDATE ledger_posting SET reverses_id = NULL WHERE key = 'r'", "payload hash"),
    ("UPDATE ledger_posting SET at = '2020-01-01 00:00' WHERE key = 'open'", "its time is not"),
    ("UPDATE ledger_posting SET salt = 'x' WHERE key = 'g'", "it is not what was sealed"),
    ("UPDATE ledger_seal SET root = '00' WHERE number = 1", "its root is not"),
    ("UPDATE ledger_seal SET at = '2020-01-01 00:00' WHERE number = 1", "its digest is wrong"),
    ("UPDATE ledger_seal SET previous = '00' WHERE number = 2", "does not follow"),
    ("UPDATE ledger_sealleaf SET digest = '{zeros}' WHERE transfer_id = {first}",
     "it is not what was sealed"),
    ("DELETE FROM ledger_sealleaf WHERE transfer_id = {first}", "leaf 0 is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "named"), TAMPERINGS)
def test_tampering_is_named(books: dict[str, Account], sql: str, named: str) -> None:
    ids = {
        "a": books["a"].pk,
        "b": books["b"].pk,
        "first": Transfer.objects.order_by("pk")[0].pk,
        "last": Transfer.objects.order_by("-pk")[0].pk,
        "zeros": "0" * 64,
        "member": MemberFactory().pk,
    }
    with guards.lifted(), connection.cursor() as cursor:
        cursor.execute(sql.format(**ids))
        assert cursor.rowcount > 0
    assert any(named in fault for fault in verify().faults), verify().faults


def test_a_forged_issue_is_named(books: dict[str, Account]) -> None:
    """Credits from nowhere: rows inserted past the services."""
    a = books["a"]
    posting = Posting.objects.get(key="g2")
    posting.pk, posting.key = None, "forged"
    posting.save(force_insert=True)
    Transfer.objects.create(
        posting=posting, debit_id=books["b"].pk, credit=a, amount=40, phase="posted", at=posting.at
    )
    text = " ".join(verify().faults)
    assert "payload hash" in text
    assert "balance-after" in text
    assert f"account {a.pk}: its balance" in text


def test_only_the_named_community_is_read(books: dict[str, Account]) -> None:
    with guards.lifted():
        Account.objects.filter(pk=books["a"].pk).update(balance=10**6)
    assert verify(books["a"].ledger.community.code).faults
    assert verify("another").faults == []
