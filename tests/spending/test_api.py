"""Offers, bookings, redemptions, charges over HTTP, as the contract has them."""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from grids.people.models import Member, Proxy
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, Town, grant
from tests.spending.factories import Market, a_market, book
from timebank.ledger.models import Account
from timebank.ledger.verify import verify
from timebank.spending.models import Booking, PayCode

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def market(town: Town) -> Market:
    return a_market(town)


class As:
    """An API client for one member, with a fresh key for each write."""

    count = 0

    def __init__(self, member: Member) -> None:
        self.client = APIClient()
        self.client.force_authenticate(member)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any = None, key: str = "") -> Any:
        As.count += 1
        headers = {"Idempotency-Key": key or f"key-{As.count}"}
        return self.client.post(f"/api/v1/{path}", body, format="json", headers=headers)


def test_offers_come_with_their_servings(market: Market) -> None:
    offers = As(market.guest).get("offers").json()["results"]
    soap, lunch = offers
    assert (soap["title"], soap["price"], soap["slots"]) == ("肥皂", "2.00", [])
    # NOW is two in the afternoon: today's lunch is over.
    assert [slot["starts_at"][:16] for slot in lunch["slots"][:2]] == [
        "2026-06-02T03:30", "2026-06-03T03:30",
    ]  # fmt: skip
    assert lunch["slots"][0]["left"] == 5
    assert len(lunch["slots"]) == 13
    found = As(market.guest).get("offers", kind="goods").json()["results"]
    assert [offer["id"] for offer in found] == [market.soap.pk]
    assert As(market.guest).get("offers", kind="gold").status_code == 400
    assert As(market.guest).get("offers", partner="x").status_code == 400
    stranger = MemberFactory(community=CommunityFactory())
    assert As(stranger).get("offers").json()["results"] == []


def test_offers_cost_the_same_queries_however_many(
    market: Market, django_assert_max_num_queries: Any
) -> None:
    guest = As(market.guest)
    guest.get("offers")
    with django_assert_max_num_queries(6):
        assert len(guest.get("offers").json()["results"]) == 2


def test_booking_holds_redeeming_pays(market: Market) -> None:
    guest, cook = As(market.guest), As(market.cook)
    made = guest.post("bookings", {"offer": market.lunch.pk, "slot": market.slots[0].pk})
    assert made.status_code == 201
    booking = made.json()
    assert (booking["state"], booking["price"], len(booking["code"])) == ("booked", "1.00", 8)
    account = guest.get(f"accounts/{market.purse.pk}").json()
    assert (account["balance"], account["held"], account["available"]) == ("10.00", "1.00", "9.00")
    assert market.slots[0].taken == 1

    code = booking["code"].lower().replace("0", "o").replace("1", "l")
    done = cook.post("redemptions", {"code": f"{code[:4]} {code[4:]}"})
    assert done.status_code == 201
    assert done.json()["state"] == "redeemed"
    account = guest.get(f"accounts/{market.purse.pk}").json()
    assert (account["balance"], account["held"]) == ("9.00", "0.00")
    till = Account.objects.get(kind="partner", organisation=market.kitchen.organisation)
    assert till.balance == 100
    again = cook.post("redemptions", {"code": booking["code"]})
    assert (again.status_code, again.json()["code"]) == (409, "already_redeemed")
    assert verify().faults == []
    heard = Event.objects.filter(topic__name=f"partner:{market.kitchen.pk}").order_by("seq")
    kinds = heard.values_list("type", flat=True)
    assert list(kinds) == ["booking.made", "account.changed", "booking.redeemed"]
    assert booking["code"] not in str(list(Event.objects.values_list("data", flat=True)))


def test_the_same_key_books_once(market: Market) -> None:
    guest = As(market.guest)
    body = {"offer": market.lunch.pk, "slot": market.slots[0].pk}
    first = guest.post("bookings", body, key="k")
    again = guest.post("bookings", body, key="k")
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    other = guest.post("bookings", {**body, "quantity": 2}, key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    bare = guest.client.post("/api/v1/bookings", body, format="json")
    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency_key_required")
    assert Booking.objects.count() == 1


def test_cancelling_frees_seat_and_credits(market: Market, noon: Any) -> None:
    guest = As(market.guest)
    booking = book(market, quantity=2)
    assert guest.post(f"bookings/{booking.pk}/cancel").json()["state"] == "cancelled"
    assert market.slots[0].taken == 0
    market.purse.refresh_from_db()
    assert (market.purse.balance, market.purse.held) == (1000, 0)
    again = guest.post(f"bookings/{booking.pk}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_cancelled")
    late = As(market.cook).post("redemptions", {"code": booking.code})
    assert (late.status_code, late.json()["code"]) == (409, "already_cancelled")


def test_a_redeemed_booking_is_not_cancelled(market: Market) -> None:
    booking = book(market)
    As(market.cook).post("redemptions", {"code": booking.code})
    refused = As(market.guest).post(f"bookings/{booking.pk}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_redeemed")


def test_what_a_booking_may_be_refused_for(market: Market, noon: Any) -> None:
    guest = As(market.guest)
    slot, lunch = market.slots[0].pk, market.lunch.pk

    def refusal(**body: Any) -> tuple[int, str]:
        answer = guest.post("bookings", {"offer": lunch, "slot": slot, **body})
        assert answer["Content-Type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    sold_out = guest.post("bookings", {"offer": lunch, "slot": slot, "quantity": 6})
    assert (sold_out.json()["code"], sold_out.json()["left"]) == ("sold_out", 5)
    poor = MemberFactory(community=market.guest.community)
    answer = As(poor).post("bookings", {"offer": lunch, "slot": slot})
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_credits")
    assert answer.json()["available"] == "0.00"
    assert refusal(slot=None) == (400, "invalid")
    assert refusal(slot=10**9) == (404, "not_found")
    assert refusal(offer=10**9) == (404, "not_found")
    assert refusal(offer=market.soap.pk) == (404, "not_found")
    assert refusal(for_member=poor.pk) == (404, "not_found")
    assert refusal(quantity=0) == (400, "invalid")
    assert refusal(quantity=21) == (400, "invalid")
    assert Booking.objects.count() == 0
    noon.move_to(market.slots[0].ends_at)
    assert refusal() == (409, "slot_over")
    market.lunch.active = False
    market.lunch.save()
    assert refusal() == (404, "not_found")
    stranger = MemberFactory(community=CommunityFactory())
    assert As(stranger).post("bookings", {"offer": lunch, "slot": slot}).status_code == 404


@pytest.mark.parametrize("path", ["bookings", "redemptions", "charges", "transfers"])
@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        5,
        {},
        {"offer": None, "code": None, "pay_code": None, "to": None},
        {"offer": "\0", "code": "\0", "pay_code": "\0", "to": "\0", "amount": "\0"},
        {"offer": 2**80, "slot": 2**80, "code": {}, "pay_code": [], "to": 2**80, "amount": 1.5},
        {"offer": True, "slot": -1, "code": "x" * 99, "pay_code": "y" * 99, "amount": "1e9"},
    ],
)
def test_bad_bodies_are_named(market: Market, path: str, body: Any) -> None:
    answer = As(market.cook).post(path, body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_booking_for_somebody(market: Market, town: Town) -> None:
    daughter = MemberFactory(community=town.community)
    Proxy.objects.create(member=market.guest, proxy=daughter, starts_on=date(2020, 1, 1))
    body = {
        "offer": market.lunch.pk, "slot": market.slots[0].pk, "for_member": market.guest.pk,
    }  # fmt: skip
    for actor in (daughter, town.captain):
        made = As(actor).post("bookings", body)
        assert made.status_code == 201
        assert made.json()["member"] == market.guest.pk
        mine = As(actor).get("bookings").json()["results"]
        assert made.json()["id"] in [booking["id"] for booking in mine]
    market.purse.refresh_from_db()
    assert market.purse.held == 200
    Proxy.objects.update(ends_on=date(2021, 1, 1))
    assert As(daughter).post("bookings", body).status_code == 404
    other_captain = MemberFactory(community=town.community)
    grant(other_captain, "captain", cell=town.cells[1])
    assert As(other_captain).post("bookings", body).status_code == 404


def test_bookings_of_others_do_not_exist(market: Market) -> None:
    booking = book(market)
    nosy = As(MemberFactory(community=market.guest.community))
    assert nosy.get(f"bookings/{booking.pk}").status_code == 404
    assert nosy.post(f"bookings/{booking.pk}/cancel").status_code == 404
    assert nosy.get("bookings").json()["results"] == []
    assert As(market.cook).get(f"bookings/{booking.pk}").status_code == 404
    assert As(market.guest).get(f"bookings/{booking.pk}").json()["code"] == booking.code
    assert As(market.guest).get("bookings", state="gone").status_code == 400


def test_who_may_redeem_what(market: Market, noon: Any) -> None:
    booking = book(market)
    cook, keeper, guest = As(market.cook), As(market.keeper), As(market.guest)

    def refusal(who: As, code: str) -> tuple[int, str]:
        answer = who.post("redemptions", {"code": code})
        return answer.status_code, answer.json()["code"]

    assert refusal(guest, booking.code) == (403, "not_allowed")
    assert refusal(keeper, booking.code) == (409, "wrong_partner")
    assert refusal(cook, "ZZZZZZZZ") == (404, "not_found")
    assert refusal(cook, "no") == (404, "not_found")
    noon.move_to(booking.expires_at)
    assert refusal(cook, booking.code) == (409, "expired")
    answer = guest.post(f"bookings/{booking.pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "expired")


def pay_code(market: Market) -> str:
    return str(As(market.guest).get("me/pay-code").json()["code"])


def test_a_pay_code_pays_once(market: Market) -> None:
    keeper = As(market.keeper)
    code = pay_code(market)
    body = {"pay_code": code.lower(), "amount": "1.50", "memo": "肥皂"}
    made = keeper.post("charges", body, key="c")
    assert made.status_code == 201
    assert (made.json()["amount"], made.json()["member_name"]) == (
        "1.50", market.guest.display_name,
    )  # fmt: skip
    assert keeper.post("charges", body, key="c").json() == made.json()
    again = keeper.post("charges", body)
    assert (again.status_code, again.json()["code"]) == (409, "pay_code_expired")
    market.purse.refresh_from_db()
    assert market.purse.balance == 850
    assert verify().faults == []


def test_pay_codes_rotate_and_expire(market: Market, noon: Any) -> None:
    first = pay_code(market)
    noon.shift(timedelta(seconds=10))
    assert pay_code(market) == first
    noon.shift(timedelta(seconds=10))
    second = pay_code(market)
    assert second != first
    body = {"amount": "0.10"}
    keeper = As(market.keeper)
    # The old one is good until its thirty seconds are over, whatever was shown since.
    noon.shift(timedelta(seconds=9))
    assert keeper.post("charges", {"pay_code": first, **body}).status_code == 201
    noon.shift(timedelta(seconds=21))
    late = keeper.post("charges", {"pay_code": second, **body})
    assert (late.status_code, late.json()["code"]) == (409, "pay_code_expired")


def test_what_a_charge_may_be_refused_for(market: Market) -> None:
    keeper, guest = As(market.keeper), As(market.guest)
    code = pay_code(market)
    answer = guest.post("charges", {"pay_code": code, "amount": "1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    answer = keeper.post("charges", {"pay_code": code, "amount": "10.01"})
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_credits")
    assert PayCode.objects.get(code=code).used_at is None
    assert keeper.post("charges", {"pay_code": "ZZZZZZZZ", "amount": "1"}).status_code == 404
    assert keeper.post("charges", {"pay_code": code, "amount": "0"}).status_code == 400
    grant(market.keeper, "partner_staff", organisation=market.kitchen.organisation)
    keeper = As(Member.objects.get(pk=market.keeper.pk))
    answer = keeper.post("charges", {"pay_code": code, "amount": "1"})
    assert answer.json()["errors"].keys() == {"partner"}
    body = {"pay_code": code, "amount": "1", "partner": market.shop.pk}
    assert keeper.post("charges", {**body, "partner": 10**9}).status_code == 404
    assert keeper.post("charges", body).status_code == 201
    stranger = MemberFactory(community=CommunityFactory())
    code = As(stranger).get("me/pay-code").json()["code"]
    answer = keeper.post("charges", {**body, "pay_code": code})
    assert (answer.status_code, answer.json()["code"]) == (409, "other_community")
