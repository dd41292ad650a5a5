"""Hours: who sees them, and who decides on whose."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.conftest import Shifts
from tests.contract.site import Person, assert_problem, at_once

from .test_checkins import check

Waiting = tuple[Person, int]


@pytest.fixture
def waiting(shifts: Shifts) -> Waiting:
    """Somebody whose hours wait for a reviewer: no check-in, no position."""
    person, _shift, seat = shifts.seated_now(started_ago=60)
    answer = check(person, seat, "out", datetime.now(UTC))
    assert answer.json()["verdict"] == "review", answer.text
    hours = person.get("hours", state="pending")["results"][0]
    return person, hours["id"]


def test_own_hours(waiting: Waiting, reviewer: Person, volunteers: list[Person]) -> None:
    person, number = waiting
    assert_problem(person.post(f"hours/{number}/approve"), 403, "own_hours")
    assert_problem(person.post(f"hours/{number}/reject", {"reason": "x"}), 403, "own_hours")
    stranger = next(one for one in volunteers if one.id != person.id)
    assert_problem(stranger.post(f"hours/{number}/approve"), 404)
    assert_problem(stranger.post(f"hours/{number}/reject", {"reason": "x"}), 404)
    assert number not in {row["id"] for row in stranger.get("hours")["results"]}
    assert number in {row["id"] for row in reviewer.get("hours", state="pending")["results"]}


def test_a_reviewers_own_hours(
    shifts: Shifts, captain: Person, reviewer: Person, waiting: Waiting
) -> None:
    shift = shifts.make(datetime.now(UTC) - timedelta(hours=1), seats=1)
    seat = shift["seats"][0]["id"]
    assert captain.post(f"shifts/{shift['id']}/assign", {"member": reviewer.id}).status_code == 200
    assert check(reviewer, seat, "out", datetime.now(UTC)).status_code == 201
    mine = next(
        row for row in reviewer.get("hours", state="pending")["results"]
        if row["member"]["id"] == reviewer.id
    )  # fmt: skip
    assert_problem(reviewer.post(f"hours/{mine['id']}/approve"), 403, "own_hours")
    assert captain.post(f"hours/{mine['id']}/approve").status_code == 200


def test_approve_once(waiting: Waiting, reviewer: Person) -> None:
    person, number = waiting
    before = float(person.account()["balance"])
    answers = at_once([lambda: reviewer.post(f"hours/{number}/approve")] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "already_decided")
    assert_problem(
        reviewer.post(f"hours/{number}/reject", {"reason": "late"}), 409, "already_decided"
    )
    assert round(float(person.account()["balance"]) - before, 2) == 0.5
    row = next(row for row in person.get("hours")["results"] if row["id"] == number)
    assert (row["state"], row["credits"]) == ("approved", "0.50")


def test_reject(waiting: Waiting, reviewer: Person) -> None:
    person, number = waiting
    before = person.account()["balance"]
    for bad in ({}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": []},
                {"reason": "x" * 9999}, {"reason": "a\x00"}):  # fmt: skip
        assert_problem(reviewer.post(f"hours/{number}/reject", bad), 400, field="reason")
    assert reviewer.post(f"hours/{number}/reject", {"reason": "Not there"}).status_code == 200
    assert_problem(reviewer.post(f"hours/{number}/approve"), 409, "already_decided")
    assert person.account()["balance"] == before
    assert person.get("hours", state="rejected")["results"][0]["reason"] == "Not there"


def test_the_list(reviewer: Person, captain: Person) -> None:
    page = reviewer.get("hours")
    assert set(page) == {"next", "previous", "results"}
    for state in ("pending", "approved", "rejected"):
        for row in reviewer.get("hours", state=state)["results"]:
            assert row["state"] == state
            assert datetime.fromisoformat(row["logged_at"]).tzinfo
    for query in ("state=odd", "state=%00", "member=x", "member=" + "9" * 40):
        assert_problem(captain.call("GET", f"hours?{query}"), 400, field=query.partition("=")[0])


def test_hours_that_are_not(reviewer: Person) -> None:
    assert_problem(reviewer.post("hours/987654321/approve"), 404)
    assert_problem(reviewer.post("hours/987654321/reject", {"reason": "x"}), 404)
