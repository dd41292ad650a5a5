"""Check-ins: accepted, kept for review, refused, repeated; and the hours that come of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Shifts
from tests.contract.site import Person, assert_problem, at_once

Place = dict[str, float]


def body_of(seat: int, kind: str, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    at = at or datetime.now(UTC)
    return {"seat": seat, "kind": kind, "occurred_at": at.isoformat(), "accuracy_m": 10, **more}


def check(person: Person, *parts: Any, key: str = "new", **more: Any) -> httpx.Response:
    return person.post("checkins", body_of(*parts, **more), key=key)


def accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert found["verdict"] == "accepted", found
    assert found["reasons"] == []
    return found


def review(answer: httpx.Response, *reasons: str) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert found["verdict"] == "review", found
    assert set(reasons) <= set(found["reasons"]), found
    return found


def test_in_and_out_by_position_pay_credits(
    shifts: Shifts, inside: Place, captain: Person, reviewer: Person
) -> None:
    person, shift, seat = shifts.seated_now(started_ago=88)
    before = person.account()
    start = datetime.fromisoformat(shift["starts_at"])
    first = accepted(check(person, seat, "in", start, **inside))
    assert first["id"]
    assert captain.get(f"shifts/{shift['id']}")["seats"][0]["state"] == "checked_in"
    assert_problem(check(person, seat, "in", **inside), 409, "already_checked_in")
    accepted(check(person, seat, "out", **inside))
    assert captain.get(f"shifts/{shift['id']}")["seats"][0]["state"] == "checked_out"
    assert_problem(check(person, seat, "out", **inside), 409, "already_checked_in")
    hours = person.get("hours")["results"][0]
    assert 86 <= hours["minutes"] <= 90
    if hours["state"] == "pending":
        assert reviewer.post(f"hours/{hours['id']}/approve").status_code == 200
    # Two hours are one credit.
    earned = round((float(person.account()["balance"]) - float(before["balance"])) * 100)
    assert abs(earned - hours["minutes"] / 120 * 100) <= 1


def test_in_by_the_code_at_the_meeting_point(shifts: Shifts, captain: Person) -> None:
    person, shift, seat = shifts.seated_now()
    code = captain.get(f"shifts/{shift['id']}")["meeting_code"]
    assert person.get(f"shifts/{shift['id']}").get("meeting_code") is None
    accepted(check(person, seat, "in", code=code.lower(), accuracy_m=None))


def test_reasons_for_a_review(shifts: Shifts, inside: Place) -> None:
    far = {"lat": inside["lat"] + 1, "lon": inside["lon"]}
    now = datetime.now(UTC)
    for reason, options, at in (
        ("outside_cell", far, None),
        ("weak_position", {**inside, "accuracy_m": 900}, None),
        ("no_evidence", {}, None),
        ("wrong_code", {"code": "NOPE"}, None),
        ("clock_skew", inside, now + timedelta(minutes=20)),
    ):
        person, _shift, seat = shifts.seated_now()
        review(check(person, seat, "in", at, **options), reason)
    person, _shift, seat = shifts.seated_now(started_ago=60)
    review(check(person, seat, "in", **inside), "late_arrival")


def test_out_before_in_is_kept(shifts: Shifts, inside: Place, captain: Person) -> None:
    person, shift, seat = shifts.seated_now(started_ago=30)
    start = datetime.fromisoformat(shift["starts_at"])
    review(check(person, seat, "out", **inside), "out_before_in")
    # The phone's queue may deliver the check-in afterwards; it is kept too.
    late = check(person, seat, "in", start, **inside)
    assert late.status_code == 201, late.text
    assert captain.get(f"shifts/{shift['id']}")["seats"][0]["state"] == "checked_out"
    assert person.get("hours")["results"][0]["state"] == "pending"


def test_an_offline_upload_is_judged_by_when_it_occurred(shifts: Shifts, inside: Place) -> None:
    person, shift, seat = shifts.seated_now(started_ago=80)
    start = datetime.fromisoformat(shift["starts_at"])
    accepted(check(person, seat, "in", start + timedelta(minutes=1), **inside))


def test_refusals(shifts: Shifts, volunteers: list[Person], inside: Place) -> None:
    person, shift, seat = shifts.seated_now()
    start, end = (datetime.fromisoformat(shift[name]) for name in ("starts_at", "ends_at"))
    other = next(one for one in volunteers if one.id != person.id)
    assert_problem(check(other, seat, "in", **inside), 409, "not_your_seat")
    assert_problem(
        check(person, seat, "in", start - timedelta(hours=5), **inside), 409, "too_early"
    )
    assert_problem(check(person, seat, "in", end + timedelta(hours=1), **inside), 409, "too_late")
    assert_problem(check(person, seat, "in", end + timedelta(days=9), **inside), 409, "too_late")
    assert_problem(
        check(person, seat, "out", start - timedelta(hours=1), **inside), 409, "too_early"
    )
    assert_problem(check(person, seat, "out", end + timedelta(days=9), **inside), 409, "too_late")
    assert_problem(check(person, 987654321, "in", **inside), 404)
    # Nothing of it was kept.
    accepted(check(person, seat, "in", **inside))


def test_an_open_seat_is_nobodys(shifts: Shifts, captain: Person, inside: Place) -> None:
    shift = shifts.make(datetime.now(UTC) - timedelta(minutes=1))
    assert_problem(check(captain, shift["seats"][0]["id"], "in", **inside), 409, "not_your_seat")


def test_keys(shifts: Shifts, inside: Place) -> None:
    person, _shift, seat = shifts.seated_now(started_ago=10)
    body = body_of(seat, "in", **inside)
    assert_problem(person.post("checkins", body), 400, "idempotency_key_required")
    for bad in ("", "x" * 256, "a b", "\x7f"):
        headers = {"Idempotency-Key": bad}
        assert_problem(person.call("POST", "checkins", body, headers=headers), 400)
    # A refusal isn't stored: the same key is judged afresh.
    early = {**body, "occurred_at": "2020-01-01T00:00:00Z"}
    assert_problem(person.post("checkins", early, key="k1"), 409, "too_early")
    first = person.post("checkins", body, key="k1")
    accepted(first)
    assert "Idempotent-Replayed" not in first.headers
    again = person.post("checkins", body, key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(
        person.post("checkins", {**body, "kind": "out"}, key="k1"), 422, "idempotency_key_reused"
    )
    assert_problem(
        person.post("transfers", {"to": 1, "amount": "0.01"}, key="k1"), 422,
        "idempotency_key_reused",
    )  # fmt: skip


def test_twenty_times_the_same_key_at_once(shifts: Shifts, inside: Place) -> None:
    person, _shift, seat = shifts.seated_now()
    body = body_of(seat, "in", **inside)
    answers = at_once([lambda: person.post("checkins", body, key="once")] * 20)
    assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers][:3]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert all(answer.json() == answers[0].json() for answer in answers)
    replays = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert sorted(replays, key=str) == [None] + ["true"] * 19


def test_twenty_keys_at_once_make_one_check_in(shifts: Shifts, inside: Place) -> None:
    person, _shift, seat = shifts.seated_now()
    body = body_of(seat, "in", **inside)
    answers = at_once([lambda n=n: person.post("checkins", body, key=f"k-{n}") for n in range(20)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seat": None}, "seat"), ({"seat": "x"}, "seat"), ({"seat": 10**30}, "seat"),
        ({"seat": 0}, "seat"), ({"seat": [1]}, "seat"), ({"seat": "１"}, "seat"),
        ({"kind": "IN"}, "kind"), ({"kind": None}, "kind"), ({"kind": []}, "kind"),
        ({"kind": "in\x00"}, "kind"), ({"occurred_at": "noon"}, "occurred_at"),
        ({"occurred_at": 1700000000}, "occurred_at"), ({"occurred_at": []}, "occurred_at"),
        ({"occurred_at": "2026-06-01"}, "occurred_at"),
        ({"occurred_at": "2026-06-01T19:00:00"}, "occurred_at"),
        ({"occurred_at": "2026-02-30T19:00:00Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "occurred_at"),
        ({"lat": 91, "lon": 1}, "lat"), ({"lat": 1, "lon": 181}, "lon"), ({"lat": 1}, "lon"),
        ({"lat": "north", "lon": 1}, "lat"), ({"lat": 10**400, "lon": 1}, "lat"),
        ({"lat": [1], "lon": 1}, "lat"), ({"lat": True, "lon": 1}, "lat"),
        ({"accuracy_m": -1}, "accuracy_m"), ({"accuracy_m": {}}, "accuracy_m"),
        ({"code": "x" * 5000}, "code"), ({"code": ["A"]}, "code"), ({"code": "A\x00"}, "code"),
        ({"code": {}}, "code"),
    ],
)  # fmt: skip
def test_what_is_no_check_in(volunteers: list[Person], change: dict[str, Any], field: str) -> None:
    body = {**body_of(1, "in"), **change}
    assert_problem(volunteers[0].post("checkins", body, key="new"), 400, field=field)


def test_numbers_that_json_has_not(volunteers: list[Person]) -> None:
    for literal in ("NaN", "Infinity", "-Infinity"):
        text = json.dumps(body_of(1, "in", lat=1, lon=1)).replace('"lat": 1', f'"lat": {literal}')
        answer = volunteers[0].call(
            "POST", "checkins", key="new", content=text,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert_problem(answer, 400)
