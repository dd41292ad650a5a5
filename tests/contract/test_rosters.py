"""Rosters: asked for, solved beside the server's other work, applied."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.conftest import Shifts
from tests.contract.site import Person, assert_problem


def solved(person: Person, number: int) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        run: dict[str, Any] = person.get(f"rosters/{number}")
        if run["state"] in {"ready", "failed", "applied"}:
            return run
        time.sleep(0.3)
    raise AssertionError("the roster never got ready")


def test_ask_look_apply(
    captain: Person, volunteers: list[Person], demo: dict[str, Any], shifts: Shifts
) -> None:
    day = (datetime.now(UTC) + timedelta(days=9)).date()
    asked = captain.post(
        "rosters", {"community": demo["community"], "from": day.isoformat(), "days": 2}
    )
    assert asked.status_code == 202, asked.text
    with captain.site.socket(captain.token) as socket:
        head = socket.subscribe(f"community:{demo['community']}")
        run = solved(captain, asked.json()["id"])
        assert run["state"] == "ready", run
        assert run["seats_total"] > 0
        assert 0 < run["seats_filled"] <= run["seats_total"]
        assert_problem(volunteers[0].post(f"rosters/{run['id']}/apply"), 404)
        assert_problem(volunteers[0].call("GET", f"rosters/{run['id']}"), 404)
        applied = captain.post(f"rosters/{run['id']}/apply")
        assert applied.status_code == 200, applied.text
        told = socket.until(lambda frame: frame["type"] == "seat.assigned")
        assert told[0]["seq"] == head + 1
    assert_problem(captain.post(f"rosters/{run['id']}/apply"), 409)
    planned = run["planned"][0]
    shift = captain.get(f"shifts/{planned['shift']}")
    assert planned["member"]["id"] in {
        seat["member"]["id"] for seat in shift["seats"] if seat["member"]
    }


def test_only_captains_ask(volunteers: list[Person], demo: dict[str, Any]) -> None:
    body = {"community": demo["community"], "from": "2027-01-01", "days": 1}
    assert_problem(volunteers[0].post("rosters", body), 403)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"community": None}, "community"), ({"community": "x"}, "community"),
        ({"community": 10**30}, "community"), ({"community": []}, "community"),
        ({"from": "x"}, "from"), ({"from": 5}, "from"), ({"from": []}, "from"),
        ({"from": "0001-01-01"}, "from"), ({"from": "9999-12-31"}, "from"),
        ({"from": "2026-01-01T10:00:00Z"}, "from"), ({"days": 0}, "days"),
        ({"days": 10**9}, "days"), ({"days": None}, "days"), ({"days": "x"}, "days"),
        ({"seconds": 10**400}, "seconds"), ({"seconds": {}}, "seconds"), ({"seed": -1}, "seed"),
    ],
)  # fmt: skip
def test_rosters_that_cannot_be_asked_for(
    captain: Person, demo: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    body = {"community": demo["community"], "from": "2027-01-01", "days": 1, **change}
    assert_problem(captain.post("rosters", body), 400, field=field)


def test_rosters_that_are_not(captain: Person) -> None:
    assert_problem(captain.call("GET", "rosters/987654321"), 404)
    assert_problem(captain.post("rosters/987654321/apply"), 404)
    assert_problem(captain.post("rosters", {"community": 987654321, "days": 1}), 404)
