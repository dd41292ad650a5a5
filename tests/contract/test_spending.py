"""Offers, bookings, redemptions, pay codes."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.site import Person, Site, assert_problem, at_once

from .test_ledger import hundredths


def free_slot(person: Person, lunch: dict[str, Any], least: int = 1) -> dict[str, Any]:
    offers = person.get("offers")["results"]
    offer = next(offer for offer in offers if offer["id"] == lunch["id"])
    now = datetime.now(UTC)
    found: dict[str, Any] = next(
        slot for slot in offer["slots"]
        if slot["left"] >= least and datetime.fromisoformat(slot["starts_at"]) > now
    )  # fmt: skip
    return found


def book(person: Person, lunch: dict[str, Any], slot: int, key: str = "new", **more: Any) -> Any:
    body = {"offer": lunch["id"], "slot": slot, "quantity": 1, **more}
    return person.post("bookings", body, key=key)


def test_offers(captain: Person) -> None:
    page = captain.get("offers")
    assert set(page) == {"next", "previous", "results"}
    for offer in page["results"]:
        hundredths(offer["price"])
        assert isinstance(offer["slots"], list)
        for slot in offer["slots"]:
            assert {"id", "starts_at", "left"} <= set(slot)
            assert datetime.fromisoformat(slot["starts_at"]).tzinfo
    assert any(offer["slots"] for offer in page["results"])
    for query in ("partner=x", "partner=%00", "kind=odd"):
        assert_problem(captain.call("GET", f"offers?{query}"), 400)


def test_book_redeem_once(
    purse: list[Person], kitchen: Person, merchant: Person, lunch: Any
) -> None:
    person = purse[0]
    slot = free_slot(person, lunch)
    before = person.account()
    price = hundredths(lunch["price"])
    made = book(person, lunch, slot["id"])
    assert made.status_code == 201, made.text
    booking = made.json()
    assert {"id", "state", "price", "code"} <= set(booking)
    assert booking["state"] == "booked"
    assert booking["price"] == lunch["price"]
    held = person.account()
    assert hundredths(held["held"]) == hundredths(before["held"]) + price
    assert held["balance"] == before["balance"]
    assert hundredths(held["available"]) == hundredths(before["available"]) - price
    left = free_slot(person, lunch)
    assert (left["id"], left["left"]) == (slot["id"], slot["left"] - 1)
    code = {"code": booking["code"]}
    assert_problem(kitchen.post("redemptions", code), 400, "idempotency_key_required")
    assert_problem(merchant.post("redemptions", code, key="new"), 409, "wrong_partner")
    assert_problem(person.post("redemptions", code, key="new"), 403)
    paid = kitchen.post("redemptions", code, key="meal")
    assert paid.status_code == 201, paid.text
    again = kitchen.post("redemptions", code, key="meal")
    assert again.json() == paid.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(kitchen.post("redemptions", code, key="new"), 409, "already_redeemed")
    after = person.account()
    assert after["held"] == before["held"]
    assert hundredths(after["balance"]) == hundredths(before["balance"]) - price
    assert_problem(person.post(f"bookings/{booking['id']}/cancel"), 409)


def test_double_redemption_at_once_pays_once(
    purse: list[Person], kitchen: Person, lunch: Any
) -> None:
    person = purse[0]
    booking = book(person, lunch, free_slot(person, lunch)["id"]).json()
    before = hundredths(person.account()["balance"])
    code = {"code": booking["code"]}
    answers = at_once([lambda: kitchen.post("redemptions", code, key="new")] * 12)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "already_redeemed")
    assert hundredths(person.account()["balance"]) == before - hundredths(lunch["price"])


def test_cancel(purse: list[Person], lunch: Any, kitchen: Person) -> None:
    person = purse[1]
    before = person.account()
    slot = free_slot(person, lunch)
    booking = book(person, lunch, slot["id"]).json()
    for stranger in (purse[2], kitchen):
        assert_problem(stranger.post(f"bookings/{booking['id']}/cancel"), 404)
    answers = at_once([lambda: person.post(f"bookings/{booking['id']}/cancel")] * 6)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert person.account() == before
    assert free_slot(person, lunch)["left"] == slot["left"]
    assert_problem(kitchen.post("redemptions", {"code": booking["code"]}, key="new"), 409)
    assert_problem(person.post("bookings/987654321/cancel"), 404)


def test_cancel_against_redeem(purse: list[Person], lunch: Any, kitchen: Person) -> None:
    person = purse[1]
    for _ in range(3):
        before = hundredths(person.account()["balance"])
        booking = book(person, lunch, free_slot(person, lunch)["id"]).json()
        cancelled, redeemed = at_once(
            [
                lambda b=booking: person.post(f"bookings/{b['id']}/cancel"),
                lambda b=booking: kitchen.post("redemptions", {"code": b["code"]}, key="new"),
            ]
        )
        assert sorted((cancelled.status_code, redeemed.status_code)) in ([200, 409], [201, 409])
        price = hundredths(lunch["price"]) if redeemed.status_code == 201 else 0
        account = person.account()
        assert hundredths(account["balance"]) == before - price
        assert account["held"] == "0.00"


def test_the_key_of_a_booking(purse: list[Person], lunch: Any) -> None:
    person = purse[2]
    slot = free_slot(person, lunch)
    body = {"offer": lunch["id"], "slot": slot["id"], "quantity": 1}
    assert_problem(person.post("bookings", body), 400, "idempotency_key_required")
    answers = at_once([lambda: person.post("bookings", body, key="lunch")] * 10)
    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert free_slot(person, lunch)["left"] == slot["left"] - 1
    assert_problem(
        person.post("bookings", {**body, "quantity": 2}, key="lunch"), 422,
        "idempotency_key_reused",
    )  # fmt: skip
    assert person.post(f"bookings/{answers[0].json()['id']}/cancel").status_code == 200


def test_sold_out(purse: list[Person], lunch: Any) -> None:
    slot = free_slot(purse[3], lunch)
    made = []
    left = slot["left"]
    while left > 3:
        part = min(20, left - 3)
        answer = book(purse[3], lunch, slot["id"], quantity=part)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        left -= part
    answers = at_once([lambda: book(purse[3], lunch, slot["id"])] * 20)
    assert sorted(answer.status_code for answer in answers) == [201] * left + [409] * (20 - left)
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "sold_out")
        else:
            made.append(answer.json()["id"])
    for number in made:
        assert purse[3].post(f"bookings/{number}/cancel").status_code == 200
    assert purse[3].account()["held"] == "0.00"


def test_insufficient(volunteers: list[Person], lunch: Any) -> None:
    for person in reversed(volunteers):
        answer = person.call("GET", "me")
        if answer.status_code == 200 and answer.json()["account"]["available"] == "0.00":
            break
    slot = free_slot(person, lunch)
    assert_problem(book(person, lunch, slot["id"]), 409, "insufficient_credits")
    assert free_slot(person, lunch)["left"] == slot["left"]


def test_for_somebody_else(
    site: Site, demo: dict[str, Any], purse: list[Person], volunteers: list[Person], lunch: Any
) -> None:
    slot = free_slot(purse[0], lunch)["id"]
    other = next(one for one in volunteers if one.id != purse[0].id)
    assert_problem(book(purse[0], lunch, slot, for_member=other.id), 404)
    assert_problem(book(purse[0], lunch, slot, for_member=987654321), 404)
    mine = book(purse[0], lunch, slot, for_member=purse[0].id)
    assert mine.status_code == 201
    assert_problem(other.call("GET", f"bookings/{mine.json()['id']}"), 404)


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"offer": None}, 400, "offer"), ({"offer": "x"}, 400, "offer"),
        ({"offer": 10**30}, 400, "offer"), ({"offer": 987654321}, 404, None),
        ({"slot": "x"}, 400, "slot"), ({"slot": None}, 400, "slot"), ({"slot": [1]}, 400, "slot"),
        ({"slot": 987654321}, 404, None), ({"quantity": 0}, 400, "quantity"),
        ({"quantity": -1}, 400, "quantity"), ({"quantity": 10**9}, 400, "quantity"),
        ({"quantity": "x"}, 400, "quantity"), ({"quantity": None}, 400, "quantity"),
        ({"quantity": 1.5}, 400, "quantity"), ({"for_member": "x"}, 400, "for_member"),
        ({"for_member": {}}, 400, "for_member"),
    ],
)  # fmt: skip
def test_what_is_no_booking(
    purse: list[Person], lunch: Any, change: dict[str, Any], status: int, field: str | None
) -> None:
    body = {"offer": lunch["id"], "slot": lunch["slots"][0]["id"], "quantity": 1, **change}
    assert_problem(purse[0].post("bookings", body, key="new"), status, field=field)


def test_codes_that_are_none(kitchen: Person) -> None:
    for code in ("", None, [], {}, "x" * 5000, "a\x00"):
        assert_problem(kitchen.post("redemptions", {"code": code}, key="new"), 400, field="code")
    for code in ("ZZZZZZZZ", "nothing", "１２３４５６７８", "        x"):
        assert kitchen.post("redemptions", {"code": code}, key="new").status_code in {400, 404}


def test_an_expired_booking(site: Site, purse: list[Person], kitchen: Person, lunch: Any) -> None:
    person = purse[2]
    booking = book(person, lunch, free_slot(person, lunch)["id"]).json()
    site.python(
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "from timebank.spending.models import Booking\n"
        f"Booking.objects.filter(pk={booking['id']}).update(\n"
        "    expires_at=timezone.now() - timedelta(minutes=1))\n"
    )
    answer = kitchen.post("redemptions", {"code": booking["code"]}, key="new")
    assert_problem(answer, 409, "expired")


def test_pay_codes_rotate_and_pay_once(
    purse: list[Person], merchant: Person, kitchen: Person
) -> None:
    person = purse[0]
    shown = person.get("me/pay-code")
    assert datetime.fromisoformat(shown["expires_at"]) > datetime.now(UTC)
    before = hundredths(person.account()["balance"])
    body = {"pay_code": shown["code"], "amount": "1.25", "memo": "Soap"}
    assert_problem(merchant.post("charges", body), 400, "idempotency_key_required")
    assert_problem(person.post("charges", body, key="new"), 403)
    paid = merchant.post("charges", body, key="soap")
    assert paid.status_code == 201, paid.text
    again = merchant.post("charges", body, key="soap")
    assert again.json() == paid.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(merchant.post("charges", body, key="new"), 409, "pay_code_expired")
    assert hundredths(person.account()["balance"]) == before - 125
    assert person.get("me/pay-code")["code"] != shown["code"]


def test_one_pay_code_at_twelve_counters(purse: list[Person], merchant: Person) -> None:
    person = purse[0]
    before = hundredths(person.account()["balance"])
    body = {"pay_code": person.get("me/pay-code")["code"], "amount": "0.10"}
    answers = at_once([lambda: merchant.post("charges", body, key="new")] * 12)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert hundredths(person.account()["balance"]) == before - 10


def test_a_charge_beyond_the_balance(purse: list[Person], merchant: Person) -> None:
    code = purse[1].get("me/pay-code")["code"]
    body = {"pay_code": code, "amount": "99999.00"}
    assert_problem(merchant.post("charges", body, key="new"), 409, "insufficient_credits")
    # The refusal used nothing up.
    assert merchant.post("charges", {**body, "amount": "0.01"}, key="new").status_code == 201


def test_an_old_pay_code(purse: list[Person], merchant: Person) -> None:
    shown = purse[3].get("me/pay-code")
    wait = (datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert 0 < wait <= 31
    time.sleep(wait + 0.2)
    body = {"pay_code": shown["code"], "amount": "0.10"}
    assert_problem(merchant.post("charges", body, key="new"), 409, "pay_code_expired")
    assert purse[3].get("me/pay-code")["code"] != shown["code"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pay_code": None}, "pay_code"), ({"pay_code": []}, "pay_code"),
        ({"pay_code": "a\x00"}, "pay_code"), ({"pay_code": "x" * 5000}, "pay_code"),
        ({"amount": "0"}, "amount"), ({"amount": "-1"}, "amount"), ({"amount": 1}, "amount"),
        ({"amount": None}, "amount"), ({"amount": "9" * 99}, "amount"),
        ({"memo": []}, "memo"), ({"memo": "x" * 5000}, "memo"), ({"memo": "\x00"}, "memo"),
        ({"partner": "x"}, "partner"),
    ],
)  # fmt: skip
def test_what_is_no_charge(merchant: Person, change: dict[str, Any], field: str) -> None:
    body = {"pay_code": "7K2MQX4T", "amount": "0.10", **change}
    assert_problem(merchant.post("charges", body, key="new"), 400, field=field)
