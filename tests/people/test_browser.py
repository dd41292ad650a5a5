"""Signing in and the own page in a real browser: a phone's width, the strict CSP, axe-core."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grids.people import registries
from grids.people.models import LoginCode
from grids.people.sms import Message
from tests.factories import CommunityFactory, MemberFactory, grant
from tests.people.factories import ProxyFactory

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
SHOTS = os.environ.get("LINLI_SHOTS")


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A phone; a page error or a breach of the CSP fails the test."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    # Playwright's loop runs in this thread, and Django would refuse the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 360, "height": 760}, base_url=live_server.url, locale="en"
        )
        opened = context.new_page()
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on(
            "console",
            lambda line: "Content Security Policy" in line.text and faults.append(line.text),
        )
        yield opened
        browser.close()
    assert faults == []


def check(page: Any, name: str) -> None:
    """Run axe-core and see that nothing is wider than the phone."""
    from axe_playwright_python.sync_playwright import Axe

    if SHOTS:
        page.screenshot(path=f"{SHOTS}/people-{name}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [(item["id"], item["nodes"][0]["html"]) for item in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_from_phone_number_to_own_page(
    page: Any, outbox: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "purposes", {})
    registries.add_purpose(
        "position", title="Position", text="Where you are, during a patrol only.", version="1"
    )
    member = MemberFactory(
        phone="+8613900000001", language="en", community=CommunityFactory(name="河东社区")
    )
    grant(member, "captain", community=member.community)
    ProxyFactory(member=member)
    page.goto("/me/")
    check(page, "sign-in")
    page.get_by_label("Your phone number").fill("139 0000 0001")
    page.get_by_role("button", name="Send me a code").click()
    page.wait_for_url("**/sign-in/code/**")
    page.get_by_text("No message yet?").wait_for()
    check(page, "code")
    code = re.search(r"\d{6}", outbox[-1].text)
    assert code
    wrong = f"{(int(code[0]) + 1) % 10**6:06d}"
    page.get_by_label("The six digits").fill(wrong)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This code is not right").wait_for()
    check(page, "wrong-code")
    page.get_by_label("The six digits").fill(code[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/")
    check(page, "me")
    page.get_by_role("button", name="I agree").click()
    page.get_by_text("Noted: you agree.").wait_for()
    page.get_by_label("Large text", exact=True).last.check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Your profile is saved.").wait_for()
    check(page, "me-large")
    page.get_by_role("link", name="Delete my account").click()
    page.get_by_text("This can't be undone").wait_for()
    check(page, "delete")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete my account").click()
    page.get_by_text("Your account is deleted").wait_for()
    member.refresh_from_db()
    assert member.phone is None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_back_and_reload_after_a_wrong_code_send_nothing_again(
    page: Any, outbox: list[Message]
) -> None:
    MemberFactory(phone="+8613900000001", language="en", community=CommunityFactory())
    page.goto("/sign-in/?next=/me/")
    page.get_by_label("Your phone number").fill("12")
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_text("check the digits").wait_for()
    page.get_by_label("Your phone number").fill("139 0000 0001")
    page.get_by_role("button", name="Send me a code").click()
    page.wait_for_url("**/sign-in/code/**")
    code = re.search(r"\d{6}", outbox[-1].text)
    assert code
    page.get_by_label("The six digits").fill(f"{(int(code[0]) + 1) % 10**6:06d}")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This code is not right").wait_for()
    page.reload()
    page.get_by_label("The six digits").wait_for()
    assert page.get_by_text("This code is not right").count() == 0
    assert LoginCode.objects.get().tries_left == 4, "a reload costs no try"
    page.get_by_role("button", name="Send a new code").click()
    page.get_by_text("Only the newest one works.").wait_for()
    check(page, "code-again")
    for _ in range(4):
        # However far back: a page, never the question whether to send a form again.
        if "/code/" not in page.url:
            break
        page.go_back()
    assert page.get_by_label("Your phone number").input_value() == "139 0000 0001"
    assert "next=" in page.url
    assert LoginCode.objects.count() == 2


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_form_without_its_cookies_leads_back(page: Any) -> None:
    page.goto("/sign-in/?next=/me/")
    page.context.clear_cookies()
    page.get_by_label("Your phone number").fill("139 0000 0001")
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_text("This form has expired").wait_for()
    check(page, "expired")
    page.get_by_role("link", name="Back to the page").click()
    page.get_by_label("Your phone number").wait_for()
    assert page.url.endswith("/sign-in/?next=/me/")
