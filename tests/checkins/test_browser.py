"""A tap on the giant button and a reviewer's approval, in Debian's Chromium; axe on each page."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from grids.people.models import Member
from patrols.checkins.models import CheckIn
from patrols.shifts.models import Seat
from tests.checkins.factories import INSIDE, a_patrol
from tests.earning.factories import logged
from tests.earning.test_pages import GOOD, WEAK
from tests.factories import Town, a_community
from timebank.earning.models import HourLog

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Chromium; the ORM is used beside Playwright's own loop, which Django must be told."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def town(transactional_db: None) -> Town:
    """A community whose people read English."""
    built = a_community()
    Member.objects.update(language="en")
    return built


def phone(browser: Any, live_server: Any, who: Member, **options: Any) -> Any:
    """Open a phone on which this member is signed in."""
    client = Client()
    client.force_login(who)
    view = browser.new_context(
        viewport={"width": 360, "height": 760},
        geolocation={"latitude": INSIDE["lat"], "longitude": INSIDE["lon"], "accuracy": 10},
        bypass_csp=True,
        **options,
    )
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    view.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    return view


def faults(page: Any, name: str) -> list[str]:
    """Return what axe finds, and sideways scrolling; keep a picture where LINLI_SHOTS says."""
    from axe_playwright_python.sync_playwright import Axe

    if "LINLI_SHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["LINLI_SHOTS"]) / f"{name}.png", full_page=True)
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": rules}).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{rule['id']}: {rule['nodes'][0]['target']}" for rule in found] + (
        [f"scrolls sideways by {wide}px"] if wide > 0 else []
    )


def a_patrol_now(town: Town) -> Seat:
    """Return a seat of a patrol that started a minute ago by the real clock, as Chromium's is."""
    return a_patrol(
        town, starts_at=datetime.now(UTC) - timedelta(minutes=1), meeting_name="文化路口"
    )


def test_one_tap_checks_in_by_position(browser: Any, live_server: Any, town: Town) -> None:
    seat = a_patrol_now(town)
    who = town.volunteers[0]
    page = phone(browser, live_server, who, permissions=["geolocation"]).new_page()
    page.goto(live_server.url)
    assert faults(page, "today-in") == []
    page.click(".btn-giant")
    page.wait_for_selector("#leave-early", timeout=10_000)
    assert page.inner_text(".notice--success") == "You are checked in."
    assert faults(page, "today-on") == []
    checkin = CheckIn.objects.get(seat=seat)
    assert (checkin.kind, checkin.verdict, checkin.method) == ("in", "accepted", "position")


def test_without_position_the_code_is_asked_for(browser: Any, live_server: Any, town: Town) -> None:
    a_patrol_now(town)
    page = phone(browser, live_server, town.volunteers[0]).new_page()
    page.goto(live_server.url)
    page.click(".btn-giant")
    page.fill("input[name=code]", "ab12cd")
    page.keyboard.press("Enter")
    page.wait_for_selector("#leave-early", timeout=10_000)
    assert CheckIn.objects.get().method == "code"


def test_a_mistyped_code_is_typed_again_at_once(browser: Any, live_server: Any, town: Town) -> None:
    a_patrol_now(town)
    page = phone(browser, live_server, town.volunteers[0]).new_page()
    page.goto(live_server.url)
    page.click(".btn-giant")
    page.fill("input[name=code]", "AB12CE")
    page.keyboard.press("Enter")
    page.get_by_text("only type the code again").wait_for()
    code = page.locator("input[name=code]")
    assert (code.input_value(), code.evaluate("it => it === document.activeElement")) == (
        "AB12CE", True,
    )  # fmt: skip
    assert not page.locator(".btn-giant").is_visible()
    assert faults(page, "code-again") == []
    # The page drawn anew (a reload, an event) has the same field with the same letters in it.
    page.reload()
    code = page.locator("form[data-retype] input[name=code]")
    assert (code.input_value(), code.evaluate("it => it === document.activeElement")) == (
        "AB12CE", True,
    )  # fmt: skip
    assert faults(page, "code-again-reloaded") == []
    page.keyboard.type("AB12CD")
    page.keyboard.press("Enter")
    page.wait_for_selector("form[data-retype]", state="detached", timeout=10_000)
    assert page.inner_text(".notice--success") == "You are checked in."
    made = CheckIn.objects.get()
    assert (made.method, made.verdict, made.retypes) == ("code", "accepted", 1)


def test_a_reviewer_approves_and_rejects_in_place(
    browser: Any, live_server: Any, town: Town
) -> None:
    clear, other, doubtful = (logged(town, evidence=e) for e in (GOOD, GOOD, WEAK))
    page = phone(browser, live_server, town.reviewer).new_page()
    page.goto(f"{live_server.url}/hours/review/")
    assert faults(page, "review") == []
    page.click(f"#approve-{clear.pk}")
    page.wait_for_selector(f"#approve-{clear.pk}", state="detached")
    page.click(f"#reject-{doubtful.pk} summary")
    page.fill(f"#reason-{doubtful.pk}", "没有来")
    page.click(f"#reject-{doubtful.pk} button")
    page.wait_for_selector(f"#reject-{doubtful.pk}", state="detached")
    page.check(f"#tick-{other.pk}")
    page.click("#approve-chosen")
    page.wait_for_selector(".empty")
    states = dict(HourLog.objects.values_list("pk", "state"))
    assert states == {clear.pk: "approved", other.pk: "approved", doubtful.pk: "rejected"}
    page = phone(browser, live_server, town.volunteers[0]).new_page()
    page.goto(f"{live_server.url}/hours/")
    page.click("details.more summary >> nth=0")
    assert faults(page, "hours") == []


def test_the_welcome_and_the_code_page(browser: Any, live_server: Any, town: Town) -> None:
    seat = a_patrol_now(town)
    page = browser.new_page(bypass_csp=True)
    page.goto(live_server.url)
    assert faults(page, "welcome") == []
    page = phone(browser, live_server, town.captain).new_page()
    page.goto(f"{live_server.url}/shifts/{seat.shift_id}/code/")
    assert faults(page, "code") == []
    page.goto(live_server.url)
    assert faults(page, "today-captain") == []
