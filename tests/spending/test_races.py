"""A rush at the counter and for the last seats."""

from collections import Counter
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.db import connections
from rest_framework.test import APIClient

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from tests.factories import NOW, a_community
from tests.ledger.factories import member_account
from tests.ledger.races import at_once
from tests.spending.factories import Market, a_market, book
from timebank.ledger.verify import verify
from timebank.spending import services
from timebank.spending.models import Booking, Slot
from timebank.spending.services import bookings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market(transactional_db: None) -> Any:
    with time_machine.travel(NOW, tick=False):
        yield a_market(a_community(volunteers=30))


def guests(market: Market, count: int) -> list[Member]:
    members = list(Member.objects.filter(home__isnull=False).order_by("pk")[:count])
    with unit_of_work(now=NOW):
        for member in members:
            member_account(market.kitchen.community, member=member, amount=100)
    return members


def test_thirty_people_for_five_seats(market: Market) -> None:
    slot = market.slots[0]
    got = at_once(
        [
            lambda member=member: (
                services.book(actor=member, offer_id=market.lunch.pk, slot_id=slot.pk, now=NOW)
                and "booked"
            )
            for member in guests(market, 30)
        ]
    )
    assert Counter(got) == {"booked": 5, "sold_out": 25}
    slot.refresh_from_db()
    assert slot.taken == slot.capacity == Booking.objects.count() == 5
    assert verify().faults == []


@pytest.mark.postgres  # on SQLite the immediate transaction is the lock
def test_without_the_lock_seats_are_oversold(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: only the lock on the serving keeps count."""
    people = guests(market, 12)
    monkeypatch.setattr(
        bookings, "lock", lambda rows, ids: {row.pk: row for row in rows.filter(pk__in=ids)}
    )
    slot = market.slots[0]
    at_once(
        [
            lambda member=member: services.book(
                actor=member, offer_id=market.lunch.pk, slot_id=slot.pk, now=NOW
            )
            for member in people
        ]
    )
    assert Booking.objects.count() != Slot.objects.get(pk=slot.pk).taken


def over_http(calls: list[tuple[Member, str, Any]]) -> list[tuple[int, str]]:
    """Send these writes together, each with a key of its own; return (status, code)."""
    start = Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        member, path, body = calls[place]
        client = APIClient()
        client.force_authenticate(member)
        try:
            start.wait(timeout=30)
            answer = client.post(
                f"/api/v1/{path}", body, format="json", headers={"Idempotency-Key": f"k{place}"}
            )
            results[place] = (answer.status_code, answer.json().get("code"))
        except Exception as error:  # noqa: BLE001 - the test reports it
            results[place] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_a_code_is_redeemed_once(market: Market) -> None:
    booking = book(market)
    got = over_http([(market.cook, "redemptions", {"code": booking.code})] * 6)
    assert Counter(got) == {(201, booking.code): 1, (409, "already_redeemed"): 5}
    market.purse.refresh_from_db()
    assert (market.purse.balance, market.purse.held) == (900, 0)
    assert verify().faults == []


def test_redeemed_or_cancelled_but_not_both(market: Market) -> None:
    booking = book(market)
    got = over_http(
        [
            (market.cook, "redemptions", {"code": booking.code}),
            (market.guest, f"bookings/{booking.pk}/cancel", {}),
        ]
        * 3
    )
    assert Counter(status for status, _code in got)[409] == 5
    assert verify().faults == []


def test_a_pay_code_is_charged_once(market: Market) -> None:
    with unit_of_work(market.guest, now=NOW):
        code = services.issue_pay_code(actor=market.guest, now=NOW)
    got = over_http([(market.keeper, "charges", {"pay_code": code.code, "amount": "1"})] * 6)
    assert Counter(got) == {(201, None): 1, (409, "pay_code_expired"): 5}
    market.purse.refresh_from_db()
    assert market.purse.balance == 900
