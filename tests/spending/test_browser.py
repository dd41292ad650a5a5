"""Booking in a real browser: "back" must not book again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from grids.people.models import Member
from tests.factories import a_community
from tests.people.test_browser import CHROMIUM, FLAGS
from tests.spending.factories import a_market
from timebank.spending.models import Booking


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 360, "height": 760}, base_url=live_server.url, locale="en"
        )
        yield context.new_page()
        browser.close()


def sign_in(page: Any, member: Member, url: str) -> None:
    client = Client()
    client.force_login(member, backend="grids.people.backends.MemberBackend")
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_back_and_book_again_is_one_booking(page: Any, live_server: Any) -> None:
    market = a_market(a_community())
    Member.objects.update(language="en")
    sign_in(page, market.guest, live_server.url)
    address = f"/meals/{market.soap.pk}/"
    page.goto(address)
    page.get_by_role("button", name="Book it").click()
    page.wait_for_url("**/bookings/*/")
    first = page.url
    page.go_back()
    page.wait_for_url(f"**{address}")
    page.get_by_role("button", name="Book it").click()
    page.wait_for_url("**/bookings/*/")
    assert page.url == first
    assert Booking.objects.count() == 1
    # Whoever comes by the list means another one.
    page.goto(address)
    page.get_by_role("button", name="Book it").click()
    page.wait_for_url("**/bookings/*/")
    assert page.url != first


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_signed_out_elsewhere_leads_to_sign_in(page: Any, live_server: Any) -> None:
    guest = a_community().volunteers[0]
    sign_in(page, guest, live_server.url)
    # This server has no sockets: the handshake is refused, as it is to who is signed out.
    page.goto("/pay/")
    page.wait_for_selector("[data-live-topic]")
    Session.objects.all().delete()
    page.wait_for_url("**/sign-in/?next=%2Fpay%2F")
