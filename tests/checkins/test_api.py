"""Check-ins over HTTP: the contract, its refusals, replays, and what a check-out pays."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext
from rest_framework.response import Response
from rest_framework.test import APIClient

from common.models import IdempotencyKey
from common.unit_of_work import unit_of_work
from patrols.checkins import evidence, jobs
from patrols.checkins.models import CheckIn
from patrols.shifts.models import Seat
from patrols.shifts.services import mark_no_show
from realtime.models import Event
from tests.checkins.factories import END, INSIDE, OUTSIDE, START, a_patrol
from tests.factories import MemberFactory, Town, a_community, take
from timebank.earning.models import HourLog
from timebank.earning.services import approve_hours
from timebank.ledger.models import Account

pytestmark = pytest.mark.django_db
_keys = count()


def send(
    api: APIClient, seat: Seat, kind: str = "in", /, *, key: str = "", **body: Any
) -> Response:
    """Post a check-in from inside the cell at the server's own time, but for what is given."""
    headers = {"Idempotency-Key": key or f"k{next(_keys)}"}
    sent = {"seat": seat.pk, "kind": kind, **INSIDE, **body}
    if isinstance(sent.get("occurred_at"), datetime):
        sent["occurred_at"] = sent["occurred_at"].isoformat()
    return api.post("/api/v1/checkins", sent, format="json", headers=headers)


@pytest.fixture
def seat(town: Town, api: APIClient) -> Seat:
    """A seat of the first volunteer, who is signed in."""
    api.force_authenticate(town.volunteers[0])
    return a_patrol(town)


def test_in_and_out_by_position(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        answer = send(api, seat)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["verdict"], body["reasons"], body["hours"]) == ("accepted", [], None)
    assert set(body) >= {"id", "verdict", "reasons"}
    seat.refresh_from_db()
    assert seat.state == "checked_in"
    with time_machine.travel(END, tick=False):
        answer = send(api, seat, "out")
    assert (answer.status_code, answer.json()["verdict"]) == (201, "accepted")
    seat.refresh_from_db()
    assert seat.state == "checked_out"
    hour = HourLog.objects.get()
    assert answer.json()["hours"] == {
        "id": hour.pk, "state": "pending", "minutes": 90, "credits": "0.00",
    }  # fmt: skip
    assert (hour.member, hour.community, hour.category, hour.worked_on) == (
        seat.member, seat.shift.community, "patrol", seat.shift.local_date,
    )  # fmt: skip
    assert (hour.source_type, hour.source_id, hour.entered_by) == ("seat", seat.pk, seat.member)
    assert hour.evidence["in"]["verdict"] == "accepted"
    assert "lat" not in str(hour.evidence)
    types = Event.objects.filter(topic__name=f"member:{seat.member_id}").values_list("type")
    assert [t for (t,) in types.order_by("seq")] == [
        "seat.checked_in", "seat.checked_out", "hours.logged",
    ]  # fmt: skip


def test_with_automatic_approval_the_credits_are_there_when_the_check_out_answers(
    api: APIClient, town: Town, seat: Seat
) -> None:
    town.community.auto_approve_hours = True
    town.community.save()
    with time_machine.travel(START + timedelta(minutes=10), tick=False):
        send(api, seat)
    with time_machine.travel(END, tick=False):
        answer = send(api, seat, "out")
    assert answer.json()["hours"]["state"] == "approved"
    assert answer.json()["hours"]["credits"] == "0.66"
    assert Account.objects.get(member=seat.member).balance == 66


@pytest.mark.parametrize("doubtful", ["in", "out"])
def test_a_doubtful_half_makes_the_hours_wait(
    api: APIClient, town: Town, seat: Seat, doubtful: str
) -> None:
    town.community.auto_approve_hours = True
    town.community.save()
    for kind, at in (("in", START), ("out", END)):
        with time_machine.travel(at, tick=False):
            send(api, seat, kind, **(OUTSIDE if kind == doubtful else {}))
    assert HourLog.objects.get().state == "pending"
    assert not Account.objects.filter(member=seat.member).exists()


def test_the_code_at_the_meeting_point_is_enough(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        answer = send(api, seat, lat=None, lon=None, accuracy_m=None, code=" ab12cd ")
    assert (answer.status_code, answer.json()["verdict"]) == (201, "accepted")
    assert CheckIn.objects.get().method == "code"


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        (OUTSIDE, ["outside_cell"]),
        ({"accuracy_m": 151}, ["weak_position"]),
        ({"lat": None, "lon": None}, ["no_evidence"]),
        ({"lat": None, "lon": None, "code": "ZZZZZZ"}, ["wrong_code"]),
        ({"code": "ZZZZZZ"}, ["wrong_code"]),
        ({"occurred_at": START + timedelta(minutes=16)}, ["late_arrival"]),
        ({"occurred_at": START + timedelta(minutes=25)}, ["late_arrival", "clock_skew"]),
    ],
)
def test_doubts_are_recorded_for_review(
    api: APIClient, seat: Seat, body: dict[str, Any], reasons: list[str]
) -> None:
    with time_machine.travel(START + timedelta(minutes=18), tick=False):
        answer = send(api, seat, **{"occurred_at": START, **body})
    assert (answer.status_code, answer.json()["verdict"]) == (201, "review")
    assert answer.json()["reasons"] == reasons
    seat.refresh_from_db()
    assert seat.state == "checked_in"
    if reasons == ["outside_cell"]:
        assert CheckIn.objects.get().distance_m == pytest.approx(500, abs=2)


def test_an_offline_upload_days_later_counts_from_when_it_was_tapped(
    api: APIClient, seat: Seat
) -> None:
    with time_machine.travel(START + timedelta(hours=80), tick=False):
        came = send(api, seat, occurred_at=START)
        left = send(api, seat, "out", occurred_at=END)
    assert came.json()["reasons"] == left.json()["reasons"] == ["late_upload"]
    row = CheckIn.objects.get(kind="in")
    assert (row.occurred_at, row.received_at) == (START, START + timedelta(hours=80))
    assert HourLog.objects.get().minutes == 90


def test_a_check_out_without_a_check_in_waits_for_review(
    api: APIClient, town: Town, seat: Seat
) -> None:
    town.community.auto_approve_hours = True
    town.community.save()
    with time_machine.travel(END, tick=False):
        answer = send(api, seat, "out")
        assert (answer.status_code, answer.json()["reasons"]) == (201, ["out_before_in"])
        hour = HourLog.objects.get()
        assert (hour.state, hour.minutes) == ("pending", 90)
        # The check-in was kept on the phone and arrives only now.
        answer = send(api, seat, "in", occurred_at=START + timedelta(minutes=30))
    assert (answer.status_code, answer.json()["verdict"]) == (201, "review")
    hour.refresh_from_db()
    seat.refresh_from_db()
    assert (hour.state, hour.minutes, seat.state) == ("pending", 60, "checked_out")
    assert set(hour.evidence) >= {"in", "out"}


@pytest.mark.expects_errors
def test_one_seat_that_fails_is_logged_and_left_for_the_next_run(
    api: APIClient, town: Town, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    with time_machine.travel(START + timedelta(minutes=30), tick=False):
        send(api, seat)
    due = END + timedelta(hours=12)
    with monkeypatch.context() as patch:
        patch.setattr(jobs.services, "log_forgotten", lambda **_given: 1 // 0)
        jobs.log_forgotten(due)
    assert not HourLog.objects.exists()
    jobs.log_forgotten(due)
    assert HourLog.objects.count() == 1


def test_whoever_forgets_to_check_out_loses_nothing(api: APIClient, town: Town, seat: Seat) -> None:
    town.community.auto_approve_hours = True
    town.community.save()
    with time_machine.travel(START + timedelta(minutes=30), tick=False):
        send(api, seat)
    jobs.log_forgotten(END + timedelta(hours=11, minutes=59))
    assert not HourLog.objects.exists()
    due = END + timedelta(hours=12)
    jobs.log_forgotten(due)
    jobs.log_forgotten(due)
    hour = HourLog.objects.get()
    assert (hour.state, hour.minutes, hour.entered_by) == ("pending", 60, None)
    words = [line.text for line in evidence.read(hour.evidence) if not line.good]
    assert words[-1] == gettext("No check-out: counted up to the end.")
    # The check-out was kept on a phone, and corrects what waits.
    with time_machine.travel(END + timedelta(hours=20), tick=False):
        answer = send(api, seat, "out", occurred_at=END - timedelta(minutes=20))
    assert (answer.status_code, answer.json()["hours"]["minutes"]) == (201, 40)
    hour.refresh_from_db()
    seat.refresh_from_db()
    assert (hour.state, hour.minutes, seat.state) == ("pending", 40, "checked_out")
    assert set(hour.evidence) >= {"in", "out"}


def test_a_late_check_out_leaves_decided_hours_alone(
    api: APIClient, town: Town, seat: Seat
) -> None:
    with time_machine.travel(START, tick=False):
        send(api, seat)
    due = END + timedelta(hours=12)
    jobs.log_forgotten(due)
    hour = HourLog.objects.get()
    with unit_of_work(town.reviewer, now=due):
        approve_hours(hour_log_id=hour.pk, actor=town.reviewer, now=due)
    with time_machine.travel(due + timedelta(hours=1), tick=False):
        answer = send(api, seat, "out", occurred_at=END - timedelta(minutes=60))
    assert answer.status_code == 201
    assert answer.json()["hours"] == {
        "id": hour.pk, "state": "approved", "minutes": 90, "credits": "0.75",
    }  # fmt: skip


def test_a_check_in_that_reached_us_late_waits_for_its_check_out(
    api: APIClient, seat: Seat
) -> None:
    uploaded = END + timedelta(hours=20)
    with time_machine.travel(uploaded, tick=False):
        send(api, seat, occurred_at=START)
    jobs.log_forgotten(uploaded + timedelta(hours=1))
    assert not HourLog.objects.exists()
    jobs.log_forgotten(uploaded + timedelta(hours=12))
    assert HourLog.objects.get().minutes == 90


def test_no_whole_minute_logs_no_hours(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        send(api, seat)
        answer = send(api, seat, "out")
    assert (answer.status_code, answer.json()["hours"]) == (201, None)
    assert not HourLog.objects.exists()


def test_evidence_after_a_no_show_is_heard(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START + timedelta(hours=1), tick=False):
        with unit_of_work():
            mark_no_show(seat=seat, actor=None, now=START + timedelta(hours=1))
        assert send(api, seat, occurred_at=START).status_code == 201
    seat.refresh_from_db()
    assert seat.state == "checked_in"


def refused(answer: Response, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert answer["Content-Type"] == "application/problem+json"
    return answer.json()


def test_too_early_and_too_late_by_the_time_it_occurred(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        body = refused(send(api, seat, occurred_at=START - timedelta(minutes=31)), "too_early")
        assert body["opens_at"] == (START - timedelta(minutes=30)).isoformat()
        refused(send(api, seat, occurred_at=END + timedelta(seconds=1)), "too_late")
        refused(send(api, seat, "out", occurred_at=START - timedelta(minutes=1)), "too_early")
        refused(send(api, seat, "out", occurred_at=END + timedelta(hours=13)), "too_late")
    with time_machine.travel(START - timedelta(hours=2), tick=False):
        refused(send(api, seat, occurred_at=None), "too_early")
    assert not CheckIn.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_twice_with_another_key_is_refused(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        send(api, seat)
        refused(send(api, seat), "already_checked_in")
    with time_machine.travel(END, tick=False):
        send(api, seat, "out")
        refused(send(api, seat, "out"), "already_checked_in")
        refused(send(api, seat, "in"), "already_checked_in")
    assert CheckIn.objects.count() == 2


def test_the_same_key_is_one_check_in(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        answers = [send(api, seat, key="same") for _ in range(20)]
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    assert [a.headers.get("Idempotent-Replayed") for a in answers] == [None] + ["true"] * 19
    assert CheckIn.objects.count() == 1
    other = send(api, seat, "out", key="same")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_the_key_is_demanded(api: APIClient, seat: Seat) -> None:
    answer = api.post("/api/v1/checkins", {"seat": seat.pk, "kind": "in"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


def test_only_ones_own_seat(api: APIClient, town: Town, seat: Seat) -> None:
    with time_machine.travel(START, tick=False):
        open_seat = seat.shift.seats.get(index=2)
        refused(send(api, open_seat), "not_your_seat")
        take(open_seat, town.volunteers[1])
        refused(send(api, open_seat), "not_your_seat")
        api.force_authenticate(town.captain)
        refused(send(api, seat), "not_your_seat")


def test_a_seat_out_of_sight_does_not_exist(api: APIClient, seat: Seat) -> None:
    elsewhere = a_patrol(a_community())
    assert send(api, elsewhere).status_code == 404
    elsewhere.pk = 10**15
    assert send(api, elsewhere).json()["code"] == "not_found"
    api.force_authenticate(MemberFactory())
    assert send(api, seat).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"seat": None}, {"seat": "x"}, {"seat": -1}, {"seat": 2**63}, {"seat": [1]}, {"seat": True},
        {"kind": None}, {"kind": "IN"}, {"kind": ["in"]}, {"kind": {}},
        {"occurred_at": "yesterday"}, {"occurred_at": 5}, {"occurred_at": "2026-13-01T00:00:00Z"},
        {"occurred_at": "0001-01-01T00:00:00+14:00"}, {"occurred_at": []},
        {"occurred_at": "2026-06-01T19:00:00"},
        {"lat": 91}, {"lat": -90.1}, {"lon": 181}, {"lat": "NaN"}, {"lon": "Infinity"},
        {"lat": "-inf"}, {"lat": True}, {"lat": {}}, {"lat": 10**400}, {"lat": "x"},
        {"lat": None}, {"lon": None},
        {"accuracy_m": -1}, {"accuracy_m": "nan"}, {"accuracy_m": 1e300}, {"accuracy_m": []},
        {"code": "x" * 41}, {"code": "\x00"}, {"code": ["AB12CD"]}, {"code": {}},
    ],
)  # fmt: skip
def test_malformed_bodies_are_400_naming_the_field(
    api: APIClient, seat: Seat, body: dict[str, Any]
) -> None:
    with time_machine.travel(START, tick=False):
        answer = send(api, seat, **body)
    if body == {"occurred_at": "0001-01-01T00:00:00+14:00"}:
        assert answer.status_code in {400, 409}
    else:
        assert answer.status_code == 400
        assert set(answer.json()["errors"]) == set(body)
    assert answer["Content-Type"] == "application/problem+json"
    assert not CheckIn.objects.exists()


@pytest.mark.parametrize("raw", ["[]", "null", '"x"', "5", "{", "", '{"seat": NaN}', "\xff"])
def test_bodies_that_are_no_object_are_400(api: APIClient, seat: Seat, raw: str) -> None:
    answer = api.post(
        "/api/v1/checkins",
        raw.encode("latin-1"),
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_far_years_are_judged_not_crashed_on(api: APIClient, seat: Seat) -> None:
    refused(send(api, seat, occurred_at="0001-01-02T00:00:00Z"), "too_early")
    refused(send(api, seat, occurred_at="9999-12-31T00:00:00Z"), "too_late")


def test_a_duty_without_a_cell_is_measured_from_its_meeting_point(
    api: APIClient, town: Town
) -> None:
    api.force_authenticate(town.volunteers[0])
    seat = a_patrol(town, cell=None, starts_at=START)
    with time_machine.travel(START, tick=False):
        assert send(api, seat, lat=37.1605, lon=122.42).json()["verdict"] == "accepted"
    nowhere = a_patrol(town, cell=None, meeting_lat=None, starts_at=START + timedelta(days=1))
    with time_machine.travel(START + timedelta(days=1), tick=False):
        assert send(api, nowhere).json()["reasons"] == ["no_place"]


def test_a_check_in_costs_few_queries(api: APIClient, seat: Seat) -> None:
    with time_machine.travel(START, tick=False), CaptureQueriesContext(connection) as ran:
        assert send(api, seat).status_code == 201
    asked = [q["sql"] for q in ran if q["sql"].split()[0] not in {"SAVEPOINT", "RELEASE"}]
    # Key 2, seat and its locks 4, evidence 2, writes 2, event log 4, audit 1.
    assert len(asked) <= 15


def test_signed_out_is_401(api: APIClient, town: Town) -> None:
    assert send(api, a_patrol(town)).status_code == 401
