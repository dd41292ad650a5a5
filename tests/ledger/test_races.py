"""Two at once: the ledger lets one through, or both in turn."""

from collections import Counter
from typing import Any

import pytest

from common.unit_of_work import unit_of_work
from tests.factories import NOW, a_community
from tests.ledger.factories import member_account
from tests.ledger.races import at_once
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import Move, engine, ensure_account, hold, post, resolve, reverse
from timebank.ledger.verify import verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair(transactional_db: None) -> tuple[Account, Account]:
    community = a_community().community
    with unit_of_work():
        return member_account(community, amount=100), member_account(community)


def test_two_holds_on_one_balance(pair: tuple[Account, Account]) -> None:
    a, b = pair
    say: dict[str, Any] = {"actor": None, "debit": a.pk, "credit": b.pk, "now": NOW}
    got = at_once(
        [
            lambda n=n: hold(key=f"h{n}", amount=60, source=("t", n), **say) and "held"
            for n in range(6)
        ]
    )
    assert Counter(got) == {"held": 1, "insufficient_credits": 5}
    assert verify().faults == []


@pytest.mark.postgres  # on SQLite the immediate transaction is the lock
def test_without_the_lock_credits_are_spent_twice(
    pair: tuple[Account, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the race is real, and verify_ledger sees what it did."""
    monkeypatch.setattr(
        engine, "lock", lambda rows, ids: {row.pk: row for row in rows.filter(pk__in=ids)}
    )
    a, b = pair
    got = at_once(
        [
            lambda n=n: (
                post(actor=None, key=f"p{n}", reason="given", moves=[Move(a.pk, b.pk, 60)], now=NOW)
                and "paid"
            )
            for n in range(8)
        ]
    )
    assert Counter(got)["paid"] > 1
    assert verify().faults != []


def test_one_key_sent_by_many(pair: tuple[Account, Account]) -> None:
    a, b = pair
    got = at_once(
        [
            lambda: (
                post(
                    actor=None, key="same", reason="given", moves=[Move(a.pk, b.pk, 100)], now=NOW
                ).pk
            )
            for _n in range(6)
        ]
    )
    assert len(set(got)) == 1
    assert Posting.objects.filter(key="same").count() == 1


def test_a_hold_is_paid_or_released_but_not_both(pair: tuple[Account, Account]) -> None:
    a, b = pair
    with unit_of_work():
        kept = hold(
            actor=None, key="h", debit=a.pk, credit=b.pk, amount=60, now=NOW, source=("t", 1)
        )
    say: dict[str, Any] = {"actor": None, "pending_id": kept.pk, "now": NOW, "reason": "redeemed"}
    got = at_once(
        [
            lambda n=n, phase=phase: resolve(key=f"{phase}{n}", phase=phase, **say) and "done"
            for n in range(2)
            for phase in ("post", "void", "expire")
        ]
    )
    assert Counter(got) == {"done": 1, "already_resolved": 5}
    assert verify().faults == []


def test_a_posting_is_corrected_once(pair: tuple[Account, Account]) -> None:
    a, b = pair
    with unit_of_work():
        given = post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 9)], now=NOW)
    got = at_once(
        [
            lambda n=n: (
                reverse(actor=None, key=f"r{n}", posting_id=given.pk, reason_text="x", now=NOW)
                and "done"
            )
            for n in range(4)
        ]
    )
    assert Counter(got) == {"done": 1, "already_reversed": 3}


def test_gifts_in_both_directions_never_lock_up(pair: tuple[Account, Account]) -> None:
    a, b = pair
    with unit_of_work():
        post(actor=None, key="p", reason="given", moves=[Move(a.pk, b.pk, 50)], now=NOW)
    ways = [(a.pk, b.pk), (b.pk, a.pk)] * 5
    got = at_once(
        [
            lambda n=n, way=way: (
                post(actor=None, key=f"g{n}", reason="given", moves=[Move(*way, 1)], now=NOW)
                and "paid"
            )
            for n, way in enumerate(ways)
        ]
    )
    assert got == ["paid"] * 10
    assert verify().faults == []


def test_an_account_is_opened_once_by_many(transactional_db: None) -> None:
    town = a_community()
    member = town.volunteers[0]
    got = at_once(
        [
            lambda: (
                ensure_account(community=town.community, kind="member", member=member, now=NOW).pk
            )
            for _n in range(6)
        ]
    )
    assert len(set(got)) == 1
    assert isinstance(got[0], int)
