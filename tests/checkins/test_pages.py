"""Today in each of its phases, the welcome, and the code at the meeting point."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from patrols.checkins import today
from patrols.checkins.evidence import REASONS
from patrols.checkins.models import CheckIn
from patrols.checkins.services import check_in
from patrols.shifts.models import Seat
from tests.checkins.factories import END, INSIDE, START, a_patrol
from tests.earning.factories import logged
from tests.factories import Town, a_community, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def seat(town: Town, client: Client) -> Seat:
    """A seat of the first volunteer, who is signed in and reads English."""
    Member.objects.update(language="en")
    client.force_login(town.volunteers[0])
    return a_patrol(town, meeting_name="文化路口")


def shown(client: Client, path: str = "/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return str(answer.content.decode())


def come(seat: Seat, **changed: object) -> CheckIn:
    assert seat.member is not None
    with unit_of_work(seat.member, now=START):
        return check_in(
            actor=seat.member, seat_id=seat.pk, kind="in", occurred_at=None,
            **{"now": START, "code": "", **INSIDE, **changed},  # type: ignore[arg-type]
        ).checkin  # fmt: skip


def test_signed_out_is_a_welcome_with_one_door(client: Client, town: Town) -> None:
    answer = client.get("/?code=AB12CD")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "btn-giant" in page
    assert "next=%2F%3Fcode%3DAB12CD" in page
    assert "data-checkin" not in page
    assert client.get("/today/part/").status_code == 302


def test_before_the_window_there_is_no_button_yet(client: Client, seat: Seat) -> None:
    with time_machine.travel(START - timedelta(minutes=40), tick=False):
        page = shown(client)
    assert "data-checkin" not in page
    assert "19:00" not in page  # the window opens at 14:30 by the community's clock
    assert "14:30" in page
    assert "load delay:601s" in page
    assert "文化路口" in page


def test_in_the_window_there_is_one_giant_button(client: Client, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        page = shown(client)
    assert page.count("btn-giant") == 1
    assert f'data-seat="{seat.pk}" data-kind="in"' in page
    assert 'data-live-topic="member:' in page


def test_a_scanned_code_is_filled_in(client: Client, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        page = shown(client, "/?code=AB12CD")
        assert 'value="AB12CD"' in page
        assert "<script>" not in shown(client, "/?code=%22%3E%3Cscript%3E")


def test_there_the_check_out_waits_behind_a_fold(client: Client, seat: Seat) -> None:
    checkin = come(seat)
    with time_machine.travel(START + timedelta(minutes=5), tick=False):
        page = shown(client)
    assert "You are checked in." in page
    assert 'id="leave-early"' in page
    assert 'data-kind="out"' in page
    assert 'data-kind="in"' not in page
    with time_machine.travel(END - timedelta(minutes=10), tick=False):
        page = shown(client, "/today/part/")
    assert 'id="leave-early"' not in page
    assert 'data-kind="out"' in page
    assert "<html" not in page
    with time_machine.travel(END + timedelta(hours=11), tick=False):
        assert 'data-kind="out"' in shown(client)
    with time_machine.travel(END + timedelta(hours=13), tick=False):
        assert 'data-kind="out"' not in shown(client)
    assert checkin.verdict == "accepted"


def test_nobody_is_offered_to_leave_before_the_start(client: Client, seat: Seat) -> None:
    come(seat, now=START - timedelta(minutes=10))
    with time_machine.travel(START - timedelta(minutes=9), tick=False):
        page = shown(client)
    assert "You are checked in." in page
    assert "data-checkin" not in page
    assert "load delay:541s" in page


def test_too_early_is_said_of_the_right_act() -> None:
    with translation.override("en"):
        words = {k: render_to_string("components/checkin.html", {"kind": k}) for k in ("in", "out")}
    assert "too early to check in" in words["in"]
    assert "too early to check out" in words["out"]
    assert "too early to check in" not in words["out"]


def test_captains_have_doors_to_the_board_and_the_rosters(
    client: Client, town: Town, seat: Seat
) -> None:
    assert "Fill a week" not in shown(client)
    client.force_login(town.captain)
    page = shown(client)
    assert "Tonight" in page
    assert "Fill a week" in page


def test_a_doubt_is_told_with_its_reason(client: Client, seat: Seat) -> None:
    come(seat, accuracy_m=400.0)
    with time_machine.travel(START, tick=False):
        assert "the position was not exact enough" in shown(client)


def test_credits_and_waiting_hours_are_told(client: Client, town: Town, seat: Seat) -> None:
    logged(town)
    page = shown(client)
    assert "1 h 30 min waiting to be approved" in page
    assert "0.00" in page


def test_a_mistyped_code_can_be_typed_again(client: Client, seat: Seat) -> None:
    checkin = come(seat, lat=None, lon=None, accuracy_m=None, code="AB12CE")
    with time_machine.travel(START + timedelta(minutes=1), tick=False):
        page = shown(client)
        assert f'data-retype="{checkin.pk}"' in page
        assert "Your time is noted: only type the code again." in page
    with time_machine.travel(START + timedelta(minutes=16), tick=False):
        assert "data-retype" not in shown(client)
    with time_machine.travel(START + timedelta(minutes=1), tick=False):
        CheckIn.objects.update(reasons=["weak_position"])
        assert "data-retype" not in shown(client)


def test_with_no_shift_it_says_what_to_do(client: Client, town: Town) -> None:
    Member.objects.update(language="en")
    client.force_login(town.volunteers[2])
    assert "You have no shift ahead" in shown(client)


def test_reviewers_see_what_waits(client: Client, town: Town, seat: Seat) -> None:
    logged(town)
    client.force_login(town.reviewer)
    assert "/hours/review/" in shown(client)
    client.force_login(town.volunteers[1])
    assert "/hours/review/" not in shown(client)


def test_the_cells_own_captain_is_the_one_to_call(town: Town, seat: Seat) -> None:
    assert today.captain_of(seat.shift) == town.captain
    grant(town.volunteers[1], "captain", cell=town.cells[1])
    assert today.captain_of(seat.shift) == town.captain
    grant(town.volunteers[2], "captain", cell=town.cells[0])
    assert today.captain_of(seat.shift) == town.volunteers[2]


def test_the_code_is_for_its_captain(client: Client, town: Town, seat: Seat) -> None:
    path = f"/shifts/{seat.shift_id}/code/"
    assert client.get(path).status_code == 403
    client.force_login(a_community().captain)
    assert client.get(path).status_code == 404
    client.force_login(town.captain)
    page = shown(client, path)
    assert "AB12CD" in page
    assert "<svg" in page
    client.logout()
    assert client.get(path).status_code == 302


def test_today_costs_the_same_for_one_shift_and_for_three(
    client: Client, town: Town, seat: Seat
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as ran:
            shown(client)
        return len(ran)

    with time_machine.travel(START, tick=False):
        for day in (1, 2):
            a_patrol(town, starts_at=START + timedelta(days=day))
        some = cost()
        for day in (3, 4, 5):
            a_patrol(town, starts_at=START + timedelta(days=day))
        assert cost() == some
        assert some <= 22


def test_every_reason_has_words_on_the_button(client: Client, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        page = shown(client)
    for code in REASONS:
        assert f'data-say-{code.replace("_", "-")}="' in page, code


def test_today_leads_to_giving_the_place_back(client: Client, town: Town, seat: Seat) -> None:
    later = a_patrol(town, starts_at=START + timedelta(days=1))
    with time_machine.travel(START - timedelta(minutes=40), tick=False):
        page = shown(client)
    assert f'href="/shifts/{seat.shift_id}/"' in page
    assert f'href="/shifts/{later.shift_id}/"' in page
