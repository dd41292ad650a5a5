"""Meals, bookings, pay code and counter as pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from common.unit_of_work import unit_of_work
from grids.people.models import Member, Proxy
from tests.factories import (
    NOW,
    BuildingFactory,
    CellFactory,
    CommunityFactory,
    MemberFactory,
    OrganisationFactory,
    Town,
    grant,
)
from tests.ledger.factories import member_account
from tests.spending.factories import Market, a_market, book
from timebank.spending import services
from timebank.spending.codes import spaced
from timebank.spending.models import Booking, PayCode
from timebank.spending.rules import bookable_by, may_book_for
from timebank.spending.services import charge

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def market(town: Town) -> Market:
    Member.objects.update(language="en")
    market = a_market(town)
    Member.objects.update(language="en")
    return market


def browser(member: Member) -> Client:
    client = Client()
    client.force_login(member, backend="grids.people.backends.MemberBackend")
    return client


def text(answer: Any) -> str:
    assert answer.status_code < 500
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.parametrize("path", ["/meals/", "/pay/", "/counter/", "/counter/charge/"])
def test_pages_ask_for_sign_in(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith("/sign-in/")


def test_a_refused_booking_keeps_what_was_filled_in(market: Market, town: Town) -> None:
    elder = MemberFactory(community=town.community, language="en")
    Proxy.objects.create(member=elder, proxy=market.guest, starts_on=NOW.date())
    guest, path = browser(market.guest), f"/meals/{market.lunch.pk}/"
    body = {"slot": market.slots[0].pk, "quantity": 6, "for_member": elder.pk}
    page = guest.post(path, body)
    assert page.status_code == 409
    assert "not enough seats" in text(page)
    html = page.content.decode()
    assert f'name="for_member" value="{elder.pk}" checked' in html
    assert 'name="quantity" value="6"' in html
    page = guest.post(path, {**body, "quantity": 99})
    assert "less than or equal to 20" in text(page)


def test_a_booking_sent_twice_is_made_once(market: Market) -> None:
    guest, path = browser(market.guest), f"/meals/{market.lunch.pk}/"
    key = re.search(r'name="key" value="([0-9a-f]{32})"', guest.get(path).content.decode())
    assert key
    body = {"slot": market.slots[0].pk, "quantity": 1, "key": key[1]}
    refused = guest.post(path, {**body, "quantity": 6})
    assert refused.status_code == 409
    assert key[0] in refused.content.decode()
    first = guest.post(path, body)
    booking = Booking.objects.get()
    again = guest.post(path, body)
    assert first["Location"] == again["Location"] == f"/bookings/{booking.pk}/"
    # Changed, or after the first was given up, it is asked once more, under a key of its own.
    changed = guest.post(path, {**body, "quantity": 2})
    assert changed.status_code == 409
    assert "Your first booking was made already" in text(changed)
    guest.post(f"/bookings/{booking.pk}/cancel/")
    given_up = guest.post(path, body)
    assert given_up.status_code == 409
    assert Booking.objects.count() == 1
    for page in (changed, given_up):
        new = re.search(r'name="key" value="([0-9a-f]{32})"', page.content.decode())
        assert new
        assert new[1] != key[1]
    assert guest.post(path, {**body, "key": new[1]}).status_code == 302
    assert Booking.objects.count() == 2


def test_who_is_offered_is_whom_one_may_book_for(market: Market, town: Town) -> None:
    community, (north, south) = town.community, town.cells
    elsewhere = CommunityFactory(parent=community.parent)
    no_cell = BuildingFactory(community=community)
    for home in (town.buildings[0], town.buildings[1], no_cell, None):
        MemberFactory(community=community, home=home)
    # Lives here, is counted there; and the other way round.
    MemberFactory(community=elsewhere, home=town.buildings[1])
    far = BuildingFactory(community=elsewhere, cell=CellFactory(community=elsewhere))
    MemberFactory(community=community, home=far)
    MemberFactory(community=None)
    gone, erased = MemberFactory.create_batch(2, community=community, home=town.buildings[0])
    Member.objects.filter(pk=gone.pk).update(is_active=False)
    Member.objects.filter(pk=erased.pk).update(erased_at=NOW)
    of_cell, of_district, proxy, past = MemberFactory.create_batch(4, community=community)
    grant(of_cell, "captain", cell=north)
    grant(of_district, "captain", community=community.parent)
    grant(past, "captain", cell=south, ends_on=NOW.date() - timedelta(days=1))
    day = NOW.date()
    for by, until in ((proxy, None), (of_cell, None), (past, day - timedelta(days=1))):
        Proxy.objects.create(
            member=town.volunteers[1], proxy=by, starts_on=day - timedelta(days=9), ends_on=until
        )
    everybody = list(Member.objects.filter(is_active=True, erased_at=None))
    for actor in (town.captain, of_cell, of_district, proxy, past, town.reviewer):
        allowed = {one for one in everybody if one != actor and may_book_for(actor, one)}
        found = list(bookable_by(actor))
        assert len(found) == len(set(found))
        assert set(found) == allowed, actor
    assert bookable_by(proxy).get() == town.volunteers[1]
    assert not bookable_by(past).exists()


def test_however_many_offers_the_own_communitys_come_first(
    market: Market, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timebank.spending.pages._OFFERS_SHOWN", 1)
    home = CommunityFactory()
    with unit_of_work(now=NOW):
        baker = services.create_partner(
            actor=None, organisation=OrganisationFactory(community=home), kind="merchant", now=NOW
        )
        services.create_offer(
            actor=None, partner=baker, kind="goods", title="家门口的面包", price=100, now=NOW
        )
    elder = MemberFactory(community=town.community, home=town.buildings[1])
    assert elder.community_id != home.pk
    Member.objects.filter(pk=town.captain.pk).update(community=home)
    town.captain.refresh_from_db()
    page = text(browser(town.captain).get("/meals/"))
    assert "家门口的面包" in page
    assert "午餐" not in page


def test_a_captain_finds_an_elder_by_name_and_books(market: Market, town: Town) -> None:
    for number in range(20):
        MemberFactory(community=town.community, home=town.buildings[0], display_name=f"李{number}")
    elder = MemberFactory(
        community=town.community, home=town.buildings[1], display_name="周桂兰", phone=None
    )
    with unit_of_work(now=NOW):
        member_account(town.community, member=elder, amount=500)
    Member.objects.update(language="en")
    town.captain.refresh_from_db()
    captain, path = browser(town.captain), f"/meals/{market.lunch.pk}/"
    page = captain.get(path).text
    assert 'type="search"' in page
    assert "周桂兰" not in page, "not a list of hundreds"
    found = captain.get(f"{path}people/?q=桂兰", headers={"HX-Request": "true"})
    assert f'name="for_member" value="{elder.pk}"' in found.text
    assert str(town.buildings[1]) in found.text, "tells people of one name apart"
    assert "1 person found" in found.text
    assert "李1" not in found.text
    assert "Write more of the name" in captain.get(f"{path}people/?q=李").text
    assert "Nobody found" in captain.get(f"{path}people/?q=nobody%00").text
    # What was chosen stays, whatever is searched for next; and it works without a script.
    again = captain.get(f"{path}?q=李1&for_member={elder.pk}&slot={market.slots[0].pk}").text
    assert f'value="{elder.pk}" checked' in again
    assert f'name="slot" value="{market.slots[0].pk}" required checked' in again
    body = {"slot": market.slots[0].pk, "quantity": 1, "for_member": elder.pk}
    made = captain.post(path, body)
    booking = Booking.objects.get()
    assert (booking.member, booking.booked_by) == (elder, town.captain)
    assert made["Location"] == f"/bookings/{booking.pk}/"
    assert "for 周桂兰" in text(captain.get("/meals/"))
    assert "周桂兰" in captain.get(path).text, "booked for lately: at hand"
    # Nobody else may look for people here.
    nosy = browser(town.reviewer)
    assert 'type="search"' not in nosy.get(path).text
    assert "周桂兰" not in nosy.get(f"{path}people/?q=桂兰").text
    assert nosy.post(path, body).status_code == 404


def test_a_captain_from_elsewhere_books_for_others_only(market: Market, town: Town) -> None:
    captain = MemberFactory(community=CommunityFactory(), language="en")
    grant(captain, "captain", cell=town.cells[0])
    page = browser(captain)
    path = f"/meals/{market.lunch.pk}/"
    assert "午餐" in text(page.get("/meals/"))
    assert "Myself" not in text(page.get(path))
    refused = page.post(path, {"slot": market.slots[0].pk, "quantity": 1})
    assert refused.status_code == 409
    assert "Choose whom it is for." in text(refused)
    body = {"slot": market.slots[0].pk, "quantity": 1, "for_member": market.guest.pk}
    assert page.post(path, body).status_code == 302


def test_from_meal_to_code_and_back(market: Market) -> None:
    guest = browser(market.guest)
    page = guest.get("/meals/")
    assert "5 seats left" in text(page)
    slot = market.slots[0]
    assert "午餐" in text(guest.get(f"/meals/{market.lunch.pk}/?slot={slot.pk}"))
    made = guest.post(
        f"/meals/{market.lunch.pk}/", {"slot": slot.pk, "quantity": 2, "for_member": ""}
    )
    booking = Booking.objects.get()
    assert made["Location"] == f"/bookings/{booking.pk}/"
    page = guest.get(made["Location"])
    assert spaced(booking.code) in text(page)
    assert b"<svg" in page.content
    assert b"style=" not in page.content
    picture = guest.get(f"/bookings/{booking.pk}/qr.svg")
    assert picture["Content-Type"] == "image/svg+xml"
    assert picture.content.startswith(b"<svg xmlns")
    assert "午餐 × 2" in text(guest.get("/meals/"))
    part = guest.get(f"/bookings/{booking.pk}/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    gone = guest.post(f"/bookings/{booking.pk}/cancel/", follow=True)
    assert "cancelled" in text(gone)
    assert spaced(booking.code) not in text(gone)
    assert guest.get(f"/bookings/{booking.pk}/qr.svg").status_code == 404
    again = guest.post(f"/bookings/{booking.pk}/cancel/", follow=True)
    assert "This booking was cancelled." in text(again)


def test_a_refusal_stays_on_the_page(market: Market) -> None:
    guest = browser(market.guest)
    path = f"/meals/{market.lunch.pk}/"
    full = guest.post(path, {"slot": market.slots[0].pk, "quantity": 6})
    assert full.status_code == 409
    assert "not enough seats" in text(full)
    assert guest.post(path, {"slot": "x", "quantity": "\0"}).status_code == 409
    assert Booking.objects.count() == 0


def test_other_peoples_bookings_are_not_there(market: Market) -> None:
    booking = book(market)
    for stranger in (market.cook, MemberFactory(community=CommunityFactory())):
        nosy = browser(stranger)
        assert nosy.get(f"/bookings/{booking.pk}/").status_code == 404
        assert nosy.get(f"/bookings/{booking.pk}/qr.svg").status_code == 404
        assert nosy.post(f"/bookings/{booking.pk}/cancel/").status_code == 404
    stranger = browser(MemberFactory(community=CommunityFactory()))
    assert stranger.get(f"/meals/{market.lunch.pk}/").status_code == 404
    assert stranger.get("/meals/").status_code == 200


def test_the_pay_code_page_rotates(market: Market, noon: Any) -> None:
    guest = browser(market.guest)
    first = guest.get("/pay/")
    assert "no-store" in first["Cache-Control"]
    assert spaced(PayCode.objects.get().code) in text(first)
    noon.shift(timedelta(seconds=20))
    part = guest.get("/pay/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    newest = PayCode.objects.order_by("-pk")[0]
    assert PayCode.objects.count() == 2
    assert spaced(newest.code) in text(part)


def test_the_payer_sees_that_they_paid(market: Market, noon: Any) -> None:
    guest = browser(market.guest)
    page = guest.get("/pay/")
    assert f'data-live-topic="member:{market.guest.pk}"' in page.text
    assert 'data-live-refresh="/pay/"' in page.text
    assert "You paid" not in text(page)
    with unit_of_work(market.cook, now=NOW):
        code = PayCode.objects.get().code
        charge(actor=market.cook, pay_code=code, amount=10, now=NOW)
    said = f"You paid 0.10 to {market.kitchen.organisation.name}. You can spend 9.90."
    assert said in text(guest.get("/pay/", headers={"HX-Request": "true"}))
    assert "You paid" not in text(browser(market.cook).get("/pay/"))
    noon.shift(timedelta(minutes=2, seconds=1))
    assert "You paid" not in text(guest.get("/pay/"))


def test_the_amount_says_how_to_write_it(market: Market) -> None:
    assert 'title="Write a number above 0, such as 1.50."' in (
        browser(market.cook).get("/counter/charge/").text
    )


def test_the_counter_counts(market: Market, noon: Any) -> None:
    for _number in range(2):
        book(market)
    noon.move_to(market.slots[0].starts_at)
    cook = browser(market.cook)
    page = text(cook.get("/counter/"))
    assert "Served today: 0 / 2" in page
    booking = Booking.objects.order_by("pk")[0]
    done = cook.post(
        "/api/v1/redemptions",
        {"code": booking.code},
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert done.status_code == 201
    part = text(cook.get("/counter/", headers={"HX-Request": "true"}))
    assert "Served today: 1 / 2" in part
    assert "Credits taken today: 1.00" in part
    assert booking.code not in part
    page = cook.get("/counter/charge/")
    assert 'data-say-refused="The payment was not taken."' in page.content.decode()
    assert cook.get("/counter/?partner=999").status_code == 404
    assert cook.get(f"/counter/?partner={market.shop.pk}").status_code == 404
    guest = browser(market.guest)
    assert guest.get("/counter/").status_code == 403
    assert guest.get("/counter/charge/").status_code == 403
