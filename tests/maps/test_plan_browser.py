"""The editor in Debian's Chromium: two pages, one of which sees the other's edit live."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from grids.people.models import Member
from grids.places.models import CellBuilding, CellPlan
from tests.servers import Running, server
from tests.zoning.factories import Village, a_draft, a_village

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
SHOTS = os.environ.get("LINLI_SHOTS")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Chromium; the ORM is used beside Playwright's own loop, which Django must be told."""
    sync_api = pytest.importorskip("playwright.sync_api")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def village(transactional_db: None) -> Village:
    return a_village()


faults: list[str] = []


def opened(
    browser: Any, running: Running, member: Member, *, width: int = 1280, language: str = "en"
) -> Any:
    """Open the editor as `member` and wait until the map is drawn."""
    Member.objects.filter(pk=member.pk).update(language=language)
    client = Client()
    client.force_login(member)
    context = browser.new_context(
        base_url=running.http, viewport={"width": width, "height": 900}, locale=language,
        has_touch=width < 600,
    )  # fmt: skip
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": running.http}])
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda line: "Content Security Policy" in line.text and faults.append(line.text),
    )
    page.goto("/map/v/plan/")
    page.locator("[data-editor][data-ready]").wait_for()
    return page


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/plan-{name}.png", full_page=True)


def households(page: Any, code: str) -> int:
    row = page.locator(".editor-cell", has_text=code)
    return int(row.locator(".num").inner_text())


def point_of(page: Any, lat: float, lon: float) -> tuple[float, float]:
    """Return where a place is on the page, by the scale between two tooltips' houses."""
    found = page.evaluate(
        "([lat, lon]) => { const box = document.getElementById('plan-map');"
        " const point = box.linliMap.latLngToContainerPoint([lat, lon]);"
        " const at = box.getBoundingClientRect(); return [at.x + point.x, at.y + point.y]; }",
        [lat, lon],
    )
    return (found[0], found[1])


def test_a_captains_edit_is_seen_live_by_a_second_browser(browser: Any, village: Village) -> None:
    faults.clear()
    plan = a_draft(village)
    codes = [cell.code for cell in village.cells]
    with server() as running:
        one = opened(browser, running, village.people["captain"])
        two = opened(browser, running, village.people["administrator"])
        two.locator("#connection[data-state=live]").wait_for()
        # By keyboard alone: the list beside the map does what the map does.
        one.locator("#list-cell").select_option(str(village.cells[0].pk))
        for house in village.ids((3, 0), (3, 1)):
            box = one.locator(f"#building-{house}")
            box.focus()
            one.keyboard.press("Space")
        one.get_by_text("Chosen: 2 buildings, 20 households").wait_for()
        one.locator("#target").select_option(str(village.cells[1].pk))
        one.get_by_text(f"{codes[0]}: 160 → 140 households").wait_for()
        shot(one, "chosen-1280")
        one.get_by_role("button", name="Move", exact=True).focus()
        one.keyboard.press("Enter")
        one.get_by_text(f"Moved to {codes[1]}.").wait_for()
        # The other page, without a reload: counts, the notice, and the changes below.
        two.get_by_text("Somebody else changed the plan. The map shows it.").wait_for()
        assert (households(two, codes[0]), households(two, codes[1])) == (140, 180)
        two.get_by_text("2 buildings with 20 households change their cell.").wait_for()
        shot(two, "seen-1280")
        # What would be cut off is refused in words, and nothing moves.
        for house in village.column(1):
            one.locator(f"#building-{house}").check()
        one.locator("#target").select_option(str(village.cells[1].pk))
        one.get_by_role("button", name="Move", exact=True).click()
        one.get_by_text("would fall apart").first.wait_for()
        shot(one, "refused-1280")
        assert households(one, codes[0]) == 140
        # Undone by the second page, seen by the first.
        two.get_by_role("button", name="Undo", exact=True).click()
        two.get_by_text("The last change is undone.").wait_for()
        one.get_by_text("Somebody else changed the plan. The map shows it.").wait_for()
        assert households(one, codes[0]) == 160
    members = CellBuilding.objects.filter(plan=plan, building__in=village.ids((3, 0), (3, 1)))
    assert set(members.values_list("cell", flat=True)) == {village.cells[0].pk}
    assert CellPlan.objects.get(pk=plan.pk).version == 3
    assert faults == []


def test_the_map_itself_tap_rectangle_and_border(browser: Any, village: Village) -> None:
    faults.clear()
    a_draft(village)
    codes = [cell.code for cell in village.cells]
    with server() as running:
        page = opened(browser, running, village.people["administrator"])
        house = village.house[3, 1]
        page.mouse.click(*point_of(page, house.lat, house.lon))
        page.get_by_text("Chosen: 1 buildings, 10 households").wait_for()
        page.get_by_role("button", name="Choose none").click()
        page.get_by_role("button", name="Rectangle").click()
        drag(page, [(37.1499, 122.41 + 2.6 * 0.000375), (37.1512, 122.41 + 3.4 * 0.000375)])
        page.get_by_text("Chosen: 4 buildings, 40 households").wait_for()
        page.get_by_role("button", name="Choose none").click()
        page.get_by_role("button", name="Draw a border").click()
        page.locator("#line-one").select_option(str(village.cells[0].pk))
        page.locator("#line-other").select_option(str(village.cells[1].pk))
        lon = 122.41 + 4.5 * 0.000375
        drag(page, [(37.1499, lon), (37.1505, lon), (37.1511, lon)])
        page.get_by_text("The border is redrawn.").wait_for()
        assert (households(page, codes[0]), households(page, codes[1])) == (200, 120)
        page.keyboard.press("Control+z")
        page.get_by_text("The last change is undone.").wait_for()
        assert households(page, codes[0]) == 160
    assert faults == []


def drag(page: Any, places: list[tuple[float, float]]) -> None:
    points = [point_of(page, lat, lon) for lat, lon in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


@pytest.mark.parametrize(
    ("width", "language"), [(360, "zh-hans"), (360, "en"), (768, "en"), (1280, "zh-hans")]
)
def test_the_editor_fits_the_screen_and_passes_axe(
    browser: Any, village: Village, width: int, language: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    faults.clear()
    a_draft(village)
    with server() as running:
        page = opened(
            browser, running, village.people["administrator"], width=width, language=language
        )
        shot(page, f"{language}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(item["id"], item["nodes"][0]["html"]) for item in found] == []
    assert faults == []
