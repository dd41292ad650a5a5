"""Offers, the servings made from them, lapsing, codes, topics."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
import time_machine

from common import jobs
from common.errors import BadInput, NotAllowed
from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.people.registries import export_parts
from realtime.models import Event
from realtime.registry import kinds
from tests.factories import NOW, MemberFactory, Town, grant
from tests.spending.factories import Market, a_market, book
from timebank.ledger.verify import verify
from timebank.spending import services
from timebank.spending.codes import ALPHABET, new_code, read_code, spaced
from timebank.spending.models import Booking, Offer, PayCode
from timebank.spending.workflow import TRANSITIONS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def market(town: Town) -> Market:
    return a_market(town)


def change(market: Market, **changes: Any) -> None:
    with unit_of_work(market.cook, now=NOW):
        services.change_offer(actor=market.cook, offer=market.lunch, now=NOW, **changes)


def test_servings_are_made_once_and_follow_the_days(market: Market) -> None:
    with unit_of_work(now=NOW):
        assert services.materialise_slots(offer=market.lunch, now=NOW) == 0
    later = NOW + timedelta(days=3)
    jobs.registered["make coming servings"].run(later)
    assert len(market.slots) == 16
    change(market, weekdays="67")
    assert {slot.starts_at.isoweekday() for slot in market.slots} == {6, 7}


@pytest.mark.expects_errors
def test_an_offer_that_can_not_be_made_stops_no_other(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work(now=NOW):
        dinner = services.create_offer(
            actor=None, partner=market.kitchen, kind="meal", title="晚餐", price=200, now=NOW,
            daily_seats=5, serves_from=time(17), serves_until=time(18),
        )  # fmt: skip
    before = dinner.slots.count()
    real = services.materialise_slots

    def make(*, offer: Offer, now: datetime) -> int:
        if offer.pk == market.lunch.pk:
            raise ZeroDivisionError
        return real(offer=offer, now=now)

    monkeypatch.setattr(services, "materialise_slots", make)
    jobs.registered["make coming servings"].run(NOW + timedelta(days=3))
    assert dinner.slots.count() == before + 3


def test_fewer_seats_never_turn_guests_away(market: Market) -> None:
    book(market, quantity=3)
    change(market, daily_seats=2)
    assert [slot.capacity for slot in market.slots[:2]] == [3, 2]
    change(market, serves_from=time(12, 0))
    kept = [slot for slot in market.slots if slot.taken]
    assert [slot.starts_at.hour for slot in kept] == [3]
    assert verify().faults == []


def test_a_cancelled_serving_with_bookings_is_kept(market: Market) -> None:
    booking = book(market)
    change(market, active=False)
    assert [slot.pk for slot in market.slots] == [booking.slot_id]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"serves_from": None}, "serves_from"),
        ({"serves_until": time(11, 0)}, "serves_until"),
        ({"price": 1_000_001}, "price"),
        ({"price": -1}, "price"),
    ],
)
def test_an_offer_needs_hours_and_a_price(
    market: Market, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        change(market, **changes)
    assert field in refused.value.data["errors"]


def test_who_may_keep_the_catalogue(market: Market, town: Town) -> None:
    say: dict[str, Any] = {
        "partner": market.kitchen, "kind": "meal", "title": "早餐", "price": 50, "now": NOW,
    }  # fmt: skip
    for member in (market.keeper, market.guest, town.captain):
        with pytest.raises(NotAllowed), unit_of_work(member, now=NOW):
            services.create_offer(actor=member, **say)
    storekeeper = MemberFactory(community=town.community)
    grant(storekeeper, "storekeeper", community=town.community)
    with unit_of_work(storekeeper, now=NOW):
        services.create_offer(actor=storekeeper, **say)
    with pytest.raises(NotAllowed), unit_of_work(now=NOW):
        services.create_partner(
            actor=market.cook, organisation=market.shop.organisation, kind="kitchen", now=NOW
        )


def test_what_nobody_fetches_lapses(market: Market, noon: Any) -> None:
    booking = book(market, quantity=2)
    run = jobs.registered["lapse bookings"].run
    run(booking.expires_at)
    booking.refresh_from_db()
    assert booking.state == "booked"
    due = booking.expires_at + timedelta(hours=1)
    run(due)
    run(due)
    booking.refresh_from_db()
    assert (booking.state, booking.closed_at) == ("lapsed", due)
    market.purse.refresh_from_db()
    assert (market.purse.balance, market.purse.held) == (1000, 0)
    event = Event.objects.filter(type="booking.cancelled", topic__name__startswith="partner:").get()
    assert event.data["state"] == "lapsed"
    assert verify().faults == []


@pytest.mark.expects_errors
def test_one_booking_that_fails_does_not_hold_up_the_others(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, sound = book(market), book(market)
    real = services.lapse_booking

    def lapse(*, booking_id: int, now: datetime) -> None:
        if booking_id == poisoned.pk:
            raise ZeroDivisionError
        real(booking_id=booking_id, now=now)

    monkeypatch.setattr(services, "lapse_booking", lapse)
    jobs.registered["lapse bookings"].run(sound.expires_at + timedelta(hours=1))
    poisoned.refresh_from_db()
    sound.refresh_from_db()
    assert (poisoned.state, sound.state) == ("booked", "lapsed")


def test_what_costs_nothing_holds_nothing(market: Market) -> None:
    change(market, price=0)
    booking = book(market)
    assert booking.hold is None
    with unit_of_work(market.cook, now=NOW):
        services.redeem(actor=market.cook, code=booking.code, now=NOW)
    booking.refresh_from_db()
    assert booking.state == "redeemed"


def test_bookings_without_a_serving_keep_a_month(market: Market) -> None:
    booking = book(market, offer_id=market.soap.pk, slot_id=None)
    assert timedelta(days=30) <= booking.expires_at - NOW <= timedelta(days=31)


def test_codes_are_read_as_people_write_them() -> None:
    code = new_code()
    assert len(code) == 8
    assert set(code) <= set(ALPHABET)
    assert not set("ILOU") & set(ALPHABET)
    assert read_code(spaced(code).lower()) == code
    assert read_code("oil0-1234") == "01101234"
    for bad in ("", "1234567", "123456789", "ABCDEFGU", "١٢٣٤٥٦٧٨"):
        assert read_code(bad) == ""


def test_the_last_states_lead_nowhere() -> None:
    assert set(TRANSITIONS) == set(Booking.State)
    assert [state for state, after in TRANSITIONS.items() if after] == [Booking.State.BOOKED]


def test_only_staff_follow_a_partner(market: Market) -> None:
    may = kinds["partner"].may_subscribe
    assert may(market.cook, market.kitchen.pk)
    assert not may(market.keeper, market.kitchen.pk)
    assert not may(market.guest, market.kitchen.pk)
    assert not may(market.cook, 10**9)


def test_old_pay_codes_are_forgotten_and_bookings_exported(market: Market) -> None:
    book(market)
    with unit_of_work(market.guest, now=NOW):
        services.issue_pay_code(actor=market.guest, now=NOW)
    jobs.registered["forget old pay codes"].run(NOW + timedelta(hours=1))
    assert PayCode.objects.count() == 1
    jobs.registered["forget old pay codes"].run(NOW + timedelta(days=2))
    assert PayCode.objects.count() == 0
    (mine,) = export_parts["bookings"](Member.objects.get(pk=market.guest.pk))
    assert (mine["offer"], mine["price"]) == ("午餐", "1.00")
