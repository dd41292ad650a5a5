"""The pages: who may open them, what they offer, and what a tap does."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.places.models import Building
from patrols.rosters.models import Availability, AvailabilityException, RosterRun
from patrols.rosters.solving import solve_now
from patrols.shifts import queries, services
from patrols.shifts.models import Seat, Shift
from patrols.shifts.nearby import Near, open_shifts_near
from tests.factories import NOW, CommunityFactory, MemberFactory, ShiftFactory, Town, grant, take
from tests.rosters_app.factories import RosterRunFactory, a_week, evenings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with time_machine.travel(NOW, tick=False):
        yield


def as_(client: Client, member: Member) -> Client:
    member.language = "en"
    member.save()
    client.force_login(member, backend="grids.people.backends.MemberBackend")
    return client


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    html = answer.content.decode()
    assert " style=" not in html
    assert "<script>" not in html
    return html


def test_pages_ask_to_sign_in(client: Client, town: Town) -> None:
    shift = ShiftFactory(community=town.community)
    for path in ("/shifts/", f"/shifts/{shift.pk}/", "/board/", "/rosters/", "/availability/"):
        assert client.get(path).status_code == 302
    assert client.post(f"/shifts/{shift.pk}/claim/").status_code == 302
    assert shift.seats.filter(state="open").count() == 3


def test_open_shifts_are_sorted_by_day_then_nearness(town: Town) -> None:
    member = town.volunteers[0]
    later = {"starts_at": NOW + timedelta(hours=5)}
    next_door = ShiftFactory(community=town.community, cell=town.cells[1])
    home = ShiftFactory(community=town.community, cell=town.cells[0], **later)
    anywhere = ShiftFactory(community=town.community)
    tomorrow = ShiftFactory(
        community=town.community, cell=town.cells[0], starts_at=NOW + timedelta(days=1)
    )
    district = ShiftFactory(community=CommunityFactory(parent=town.community.parent))
    full = ShiftFactory(community=town.community, seats_total=1)
    take(full.seats.get(), town.volunteers[1])
    ShiftFactory(community=town.community, state="cancelled")
    ShiftFactory(community=town.community, starts_at=NOW - timedelta(minutes=16))
    ShiftFactory(community=CommunityFactory())
    take(tomorrow.seats.first(), member)
    found = open_shifts_near(member, NOW)
    assert [(one.shift, one.near, one.mine) for one in found] == [
        (home, Near.HOME_CELL, False),
        (next_door, Near.NEXT_DOOR, False),
        (anywhere, Near.COMMUNITY, False),
        (tomorrow, Near.HOME_CELL, True),
    ]
    everywhere = open_shifts_near(member, NOW, everywhere=True)
    assert [one.shift for one in everywhere if one.near == Near.DISTRICT] == [district]


def test_a_tap_claims_and_another_gives_back(client: Client, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    as_(client, town.volunteers[0])
    page = text(client, "/shifts/")
    assert f'action="/shifts/{shift.pk}/claim/"' in page
    assert "Your cell" in page
    answer = client.post(f"/shifts/{shift.pk}/claim/", {"next": "/shifts/"}, follow=True)
    assert answer.redirect_chain == [("/shifts/", 302)]
    assert "The seat is yours" in answer.content.decode()
    assert "You hold a place here" in text(client, f"/shifts/{shift.pk}/")
    again = client.post(
        f"/shifts/{shift.pk}/claim/", {"next": "https://evil.example/"}, follow=True
    )
    assert again.redirect_chain == [(f"/shifts/{shift.pk}/", 302)]
    assert "already yours" in again.content.decode()
    client.post(f"/shifts/{shift.pk}/release/")
    assert shift.seats.filter(state="open").count() == 3


def test_empty_lists_say_what_to_do(client: Client, town: Town) -> None:
    as_(client, town.volunteers[0])
    assert "Look in the whole district" in text(client, "/shifts/")
    assert "Say when you can come" in text(client, "/shifts/?all=1")
    as_(client, town.captain)
    assert "No shifts tonight" in text(client, f"/board/{town.community.code}/")
    assert 'href="/activities/"' in text(client, f"/board/{town.community.code}/part/")
    assert "There is no plan yet" in text(client, "/rosters/")
    # Whoever leads a single cell makes no plans.
    grant(town.volunteers[1], "captain", cell=town.cells[0])
    as_(client, town.volunteers[1])
    assert 'href="/activities/"' not in text(client, f"/board/{town.community.code}/part/")


def test_strangers_find_nothing(client: Client, town: Town) -> None:
    shift = ShiftFactory(community=town.community)
    run = RosterRunFactory(community=town.community)
    as_(client, MemberFactory(community=CommunityFactory()))
    for path in (
        f"/shifts/{shift.pk}/", f"/shifts/{shift.pk}/replacements/", f"/rosters/{run.pk}/",
        f"/rosters/{run.pk}/part/", f"/board/{town.community.code}/",
        f"/board/{town.community.code}/part/",
    ):  # fmt: skip
        assert client.get(path).status_code == 404, path
    assert client.post(f"/shifts/{shift.pk}/claim/").status_code == 404
    assert client.post(f"/rosters/{run.pk}/apply/").status_code == 404


def test_volunteers_have_no_board(client: Client, town: Town) -> None:
    as_(client, town.volunteers[0])
    for path in ("/board/", f"/board/{town.community.code}/", "/rosters/"):
        assert client.get(path).status_code == 403, path
    shift = ShiftFactory(community=town.community)
    assert client.get(f"/shifts/{shift.pk}/replacements/").status_code == 403


def test_the_board_shows_gaps_first_and_follows_its_topic(client: Client, town: Town) -> None:
    full = ShiftFactory(community=town.community, cell=town.cells[0], seats_total=1)
    gap = ShiftFactory(community=town.community, cell=town.cells[1])
    take(full.seats.get(), town.volunteers[0], "checked_in")
    with unit_of_work(town.volunteers[1], now=NOW):
        services.claim_seat(shift_id=gap.pk, actor=town.volunteers[1], now=NOW)
    as_(client, town.captain)
    assert client.get("/board/").headers["Location"] == f"/board/{town.community.code}/"
    page = text(client, f"/board/{town.community.code}/")
    assert f'data-live-topic="community:{town.community.pk}"' in page
    assert 'data-live-since="1"' in page
    assert page.index(f'id="cell-{town.cells[1].pk}"') < page.index(f'id="cell-{town.cells[0].pk}"')
    assert town.volunteers[0].display_name in page
    assert re.search(rf'href="/shifts/{gap.pk}/replacements/"', page)
    assert "seats filled" in page
    part = text(client, f"/board/{town.community.code}/part/")
    assert "<html" not in part
    assert town.volunteers[1].display_name in part


def test_a_cells_captain_reads_names_only_there(client: Client, town: Town) -> None:
    for cell, member in zip(town.cells, town.volunteers, strict=False):
        take(ShiftFactory(community=town.community, cell=cell).seats.first(), member)
    captain = MemberFactory(community=town.community)
    grant(captain, "captain", cell=town.cells[0])
    page = text(as_(client, captain), f"/board/{town.community.code}/")
    assert town.volunteers[0].display_name in page
    assert town.volunteers[1].display_name not in page


def test_the_board_costs_the_same_with_more_cells(client: Client, town: Town) -> None:
    counts = []
    as_(client, town.captain)
    for members in (town.volunteers[:1], town.volunteers[1:]):
        for member in members:
            take(ShiftFactory(community=town.community, cell=town.cells[0]).seats.first(), member)
        with CaptureQueriesContext(connection) as found:
            text(client, f"/board/{town.community.code}/part/")
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_a_captain_fills_a_gap_in_two_taps(client: Client, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    member = evenings(town.volunteers[0])
    as_(client, town.captain)
    assert member.display_name in text(client, f"/shifts/{shift.pk}/replacements/")
    answer = client.post(f"/shifts/{shift.pk}/assign/", {"member": member.pk}, follow=True)
    page = answer.content.decode()
    assert f"Please tell {member.display_name}: no message was sent." in page
    assert f'href="tel:{member.phone}"' in page
    assert Seat.objects.get(member=member).state == "assigned"
    assert client.post(f"/shifts/{shift.pk}/assign/", {"member": "x"}).status_code == 404
    take(Seat.objects.filter(shift=shift.pk, state="open")[0], town.captain)
    for garbled in ("x", "0x1", "-1"):
        answer = client.post(f"/shifts/{shift.pk}/release/", {"member": garbled})
        assert answer.status_code == 404
    assert Seat.objects.get(member=town.captain).state == "claimed"
    client.post(f"/shifts/{shift.pk}/release/", {"member": member.pk})
    assert not Seat.objects.filter(member=member).exists()
    client.post(f"/shifts/{shift.pk}/cancel/")
    assert Shift.objects.get(pk=shift.pk).state == "cancelled"


def test_namesakes_are_told_apart_by_their_homes(client: Client, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    pair = [evenings(member) for member in town.volunteers[:2]]
    for number, member in enumerate(pair):
        Building.objects.filter(pk=member.home_id).update(address=f"Harbour Street {number}")
        Member.objects.filter(pk=member.pk).update(display_name="Wang Fang")
    page = text(as_(client, town.captain), f"/shifts/{shift.pk}/replacements/")
    for number, member in enumerate(pair):
        assert f"Harbour Street {number}" in page
        assert f'href="tel:{member.phone}"' in page


def test_a_cells_captain_reads_no_address_or_phone_of_the_next_cell(
    client: Client, town: Town
) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    pair = [evenings(member) for member in town.volunteers[:2]]
    for number, member in enumerate(pair):
        Building.objects.filter(pk=member.home_id).update(address=f"Harbour Street {number}")
    own = next(one for one in pair if one.home and one.home.cell_id == town.cells[0].pk)
    other = next(one for one in pair if one != own)
    assert other.home is not None
    assert other.home.cell is not None
    captain = MemberFactory(community=town.community)
    grant(captain, "captain", cell=town.cells[0])
    page = text(as_(client, captain), f"/shifts/{shift.pk}/replacements/")
    assert f'href="tel:{own.phone}"' in page
    row = page[page.index(other.display_name) :].split("</li>")[0]
    assert str(other.home.cell) in row
    assert "Harbour Street" not in row
    assert "tel:" not in row
    url = f"/shifts/{shift.pk}/assign/"
    answer = client.post(url, {"member": other.pk}, follow=True).content.decode()
    assert "Please tell the member: no message was sent." in answer
    assert "tel:" not in answer
    answer = client.post(url, {"member": captain.pk}, follow=True).content.decode()
    assert "The seat is filled." in answer
    assert "Please tell" not in answer


def test_a_plan_is_made_shown_and_used(client: Client, town: Town) -> None:
    a_week(town, days=3, seats=1)
    evenings(town.volunteers[0])
    as_(client, town.captain)
    answer = client.post(
        "/rosters/", {"community": town.community.pk, "from": "2026-06-01"}, follow=True
    )
    run = RosterRun.objects.get()
    assert answer.redirect_chain == [(f"/rosters/{run.pk}/", 302)]
    assert "The plan is being made" in answer.content.decode()
    solve_now(run.pk)
    part = text(client, f"/rosters/{run.pk}/part/")
    assert "Use this plan: 2 places" in part
    assert "no plan within the rules is better" in part
    assert "reached their weekly limit" in part
    done = client.post(f"/rosters/{run.pk}/apply/", follow=True).content.decode()
    assert "2 places were assigned" in done
    again = client.post(f"/rosters/{run.pk}/apply/", follow=True).content.decode()
    assert "Please look at its state" in again
    assert "Choose a community" in client.post("/rosters/", {}, follow=True).content.decode()


def test_availability_by_toggles(client: Client, town: Town) -> None:
    member = evenings(town.volunteers[0], 2)
    as_(client, member)
    page = text(client, "/availability/")
    assert 'value="2-18:00-23:00" checked' in page
    client.post(
        "/availability/",
        {
            "window": ["1-18:00-00:00", "2-18:00-23:00", "9-18:00-19:00", "rubbish", "1-99:00-1"],
            "away": ["2026-06-20", "", "never"],
            "most_shifts_a_week": "4",
        },
    )
    kept = Availability.objects.filter(member=member).order_by("weekday")
    assert [(row.weekday, f"{row.until_time:%H:%M}") for row in kept] == [
        (1, "00:00"),
        (2, "23:00"),
    ]
    assert AvailabilityException.objects.get(member=member).on.isoformat() == "2026-06-20"
    member.limits.refresh_from_db()
    assert (member.limits.most_shifts_a_week, member.limits.neighbouring_cells) == (4, False)
    assert "June 20, 2026" in text(client, "/availability/")


# --- What the Today page and the map read ------------------------------------------------------


def test_tonight_runs_from_morning_to_morning(town: Town) -> None:
    # NOW is 14:00 in Shanghai; 02:00 of the next night still belongs to tonight.
    before, after = NOW - timedelta(hours=10), NOW + timedelta(hours=12)
    for starts_at, cell in ((before, 0), (after, 0), (NOW + timedelta(hours=15), 1)):
        ShiftFactory(community=town.community, cell=town.cells[cell], starts_at=starts_at)
    take(Seat.objects.filter(starts_at=after).first(), town.volunteers[0], "checked_in")
    found = queries.tonight(town.community, NOW)
    assert [(one.cell_id, one.seats, one.open, one.out) for one in found] == [
        (town.cells[0].pk, 3, 2, 1)
    ]
    assert found[0].coverage == pytest.approx(1 / 3)
    expected = {town.cells[0].pk: {"seats": 3, "open": 2, "out": 1}}
    assert queries.coverage_tonight([town.community], NOW) == expected
    assert queries.coverage_tonight([town.community.parent], NOW) == expected
    deep_night = NOW + timedelta(hours=13)
    assert [one.seats for one in queries.tonight(town.community, deep_night)] == [3]


@pytest.mark.parametrize(
    ("starts_in", "lasts", "state", "shown"),
    [
        (timedelta(minutes=-30), timedelta(hours=1), "claimed", True),
        (timedelta(hours=-3), timedelta(hours=2), "checked_in", True),
        (timedelta(hours=-3), timedelta(hours=2), "checked_out", False),
        (timedelta(minutes=20), timedelta(hours=1), "claimed", True),
    ],
    ids=["still running", "over but not back", "over and back", "soon"],
)
@pytest.mark.parametrize("minutes", [-10, 10], ids=["before five", "after five"])
def test_nobody_vanishes_when_the_patrol_day_turns(
    town: Town, starts_in: timedelta, lasts: timedelta, state: str, shown: bool, minutes: int
) -> None:
    # 05:00 in Shanghai is fifteen hours after NOW.
    now = NOW + timedelta(hours=15, minutes=minutes)
    shift = ShiftFactory(
        community=town.community, cell=town.cells[0], starts_at=now + starts_in,
        ends_at=now + starts_in + lasts,
    )  # fmt: skip
    take(shift.seats.first(), town.volunteers[0], state)
    same_day = minutes < 0 and starts_in < timedelta(0)
    found = queries.tonight(town.community, now)
    assert [one.seats for one in found] == ([3] if shown or same_day else [])
    assert (town.cells[0].pk in queries.coverage_tonight([town.community], now)) == bool(found)


def test_next_seats(town: Town) -> None:
    member = town.volunteers[0]
    shifts = [
        ShiftFactory(community=town.community, starts_at=NOW + timedelta(hours=hours))
        for hours in (30, -1, -5, 60)
    ]
    seats = [take(shift.seats.first(), member) for shift in shifts]
    assert queries.next_seats_of(member, NOW) == [seats[1], seats[0], seats[3]]
    assert queries.next_seats_of(member, NOW, limit=1) == [seats[1]]


def test_a_plan_made_above_is_shown_for_the_part_it_covers(client: Client, town: Town) -> None:
    district = town.community.parent
    next_door = CommunityFactory(parent=district, name="河西社区")
    chief, neighbour = MemberFactory(community=district), MemberFactory(display_name="邻村的人")
    grant(chief, "captain", community=district)
    own, other = a_week(town, days=1)[0], ShiftFactory(community=next_door)
    run = RosterRunFactory(
        community=district, state="ready", seats_total=5, seats_filled=2, ready_at=NOW
    )
    for shift, member in ((own, town.volunteers[0]), (other, neighbour)):
        run.planned.create(seat=shift.seats.first(), member=member, why={})
    RosterRunFactory(community=district)
    as_(client, town.captain)
    page = text(client, "/rosters/")
    assert page.count('class="list__row"') == 1, "one that waits is not shown"
    assert f'href="/rosters/{run.pk}/"' in page
    assert "荣成市" in page
    assert f"covers {town.community.name}" in page
    page = text(client, f"/rosters/{run.pk}/")
    assert "This plan was made for 荣成市." in page
    assert str(town.volunteers[0]) in page
    assert "邻村的人" not in page
    assert "/apply/" not in page
    assert client.post(f"/rosters/{run.pk}/apply/").status_code == 404
    stranger = MemberFactory()
    grant(stranger, "captain", community=CommunityFactory())
    text(as_(client, stranger), f"/rosters/{run.pk}/", 404)
    page = text(as_(client, chief), f"/rosters/{run.pk}/")
    assert "邻村的人" in page
    assert f"/rosters/{run.pk}/apply/" in page
    assert "This plan was made for" not in page
