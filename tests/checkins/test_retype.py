"""A mistyped code is typed again: the time stays, guessing does not pay, reviewers see it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from common.models import Audit
from grids.people.models import Member
from patrols.checkins.models import CheckIn
from patrols.checkins.queries import retypes_left
from patrols.shifts.models import Seat
from tests.checkins.factories import END, INSIDE, OUTSIDE, START, a_patrol
from tests.factories import Town
from timebank.earning.models import HourLog

pytestmark = pytest.mark.django_db
_keys = iter(range(10**6))


@pytest.fixture
def seat(town: Town, api: APIClient) -> Seat:
    api.force_authenticate(Member.objects.get(pk=town.volunteers[0].pk))
    return a_patrol(town)


def send(api: APIClient, path: str, body: dict[str, Any], **later: int) -> Any:
    with time_machine.travel(START + timedelta(**later), tick=False):
        key = {"Idempotency-Key": f"k{next(_keys)}"}
        return api.post(f"/api/v1/checkins{path}", body, format="json", headers=key)


def come(api: APIClient, seat: Seat, **facts: Any) -> dict[str, Any]:
    facts = {"kind": "in", "code": "AB12CE", **facts}
    later = facts.pop("later", {})
    answer = send(api, "", {"seat": seat.pk, **facts}, **later)
    assert answer.status_code == 201
    said: dict[str, Any] = answer.json()
    return said


def test_the_right_code_is_taken_and_the_time_stays(api: APIClient, seat: Seat) -> None:
    first = come(api, seat)
    assert (first["verdict"], first["reasons"], first["retypes_left"]) == (
        "review", ["wrong_code"], 4,
    )  # fmt: skip
    path = f"/{first['id']}/code"
    wrong = send(api, path, {"code": "AB12CF"}, minutes=1)
    assert (wrong.status_code, wrong.json()["retypes_left"]) == (200, 3)
    right = send(api, path, {"code": "ab12cd"}, minutes=2).json()
    assert right == {**first, "verdict": "accepted", "reasons": [], "retypes_left": 0}
    row = CheckIn.objects.get()
    assert (row.occurred_at, row.received_at, row.method) == (START, START, "code")
    tries = Audit.objects.filter(action="checkin.code").order_by("pk")
    assert [one.after["verdict"] for one in tries] == ["review", "accepted"]
    assert send(api, path, {"code": "AB12CD"}, minutes=3).json()["code"] == "code_settled"


def test_other_doubts_remain(api: APIClient, seat: Seat) -> None:
    made = come(api, seat, **OUTSIDE, later={"minutes": 16})
    assert set(made["reasons"]) == {"wrong_code", "outside_cell", "late_arrival"}
    again = send(api, f"/{made['id']}/code", {"code": "AB12CD"}, minutes=17).json()
    assert (again["verdict"], set(again["reasons"])) == ("review", {"outside_cell", "late_arrival"})


def test_nobody_guesses_for_long(api: APIClient, seat: Seat) -> None:
    path = f"/{come(api, seat)['id']}/code"
    left = [
        send(api, path, {"code": f"XXXXX{n}"}, minutes=1).json()["retypes_left"] for n in range(4)
    ]
    assert left == [3, 2, 1, 0]
    late = send(api, path, {"code": "AB12CD"}, minutes=1)
    assert (late.status_code, late.json()["code"]) == (409, "code_settled")
    assert CheckIn.objects.get().verdict == "review"


def test_only_at_once_and_only_where_a_code_was_wrong(
    api: APIClient, seat: Seat, town: Town
) -> None:
    made = come(api, seat)
    late = send(api, f"/{made['id']}/code", {"code": "AB12CD"}, minutes=16)
    assert late.json()["code"] == "code_settled"
    good = come(api, seat, kind="out", **INSIDE, code="", later={"minutes": 90})
    refused = send(api, f"/{good['id']}/code", {"code": "AB12CD"}, minutes=90)
    assert (good["retypes_left"], refused.json()["code"]) == (0, "code_settled")
    assert send(api, f"/{good['id']}/code", {"code": ""}).status_code == 400
    api.force_authenticate(Member.objects.get(pk=town.captain.pk))
    assert send(api, f"/{made['id']}/code", {"code": "AB12CD"}).status_code == 404


def test_hours_that_wait_get_the_evidence(api: APIClient, seat: Seat) -> None:
    come(api, seat, code="AB12CD")
    out = come(api, seat, kind="out", later={"minutes": 90})
    assert out["hours"]["state"] == "pending"
    again = send(api, f"/{out['id']}/code", {"code": "AB12CD"}, minutes=91).json()
    assert (again["verdict"], again["hours"]) == ("accepted", out["hours"])
    evidence = HourLog.objects.get().evidence
    assert (evidence["out"]["verdict"], evidence["out"]["reasons"]) == ("accepted", [])
    assert evidence["out"]["at"] == END.isoformat()


def test_a_code_typed_again_says_nothing_new_about_the_time(
    api: APIClient, seat: Seat, town: Town
) -> None:
    made = come(api, seat, later={"minutes": -20})
    captain = APIClient()
    captain.force_authenticate(Member.objects.get(pk=town.captain.pk))
    with time_machine.travel(START - timedelta(minutes=19), tick=False):
        later = captain.patch(
            f"/api/v1/shifts/{seat.shift_id}", {"early_minutes": 5}, format="json"
        )
    assert later.status_code == 200
    again = send(api, f"/{made['id']}/code", {"code": "WRONG1"}, minutes=-18).json()
    assert (again["verdict"], again["reasons"]) == ("review", ["wrong_code"])
    right = send(api, f"/{made['id']}/code", {"code": "AB12CD"}, minutes=-17).json()
    assert (right["verdict"], right["reasons"]) == ("accepted", [])


def test_a_check_out_that_came_since_makes_no_doubt(api: APIClient, seat: Seat) -> None:
    sent = {"minutes": 95}
    came = come(api, seat, occurred_at=START.isoformat(), later=sent)
    left = come(api, seat, kind="out", code="AB12CD", occurred_at=END.isoformat(), later=sent)
    assert (left["verdict"], left["hours"]["state"]) == ("accepted", "pending")
    again = send(api, f"/{came['id']}/code", {"code": "AB12CD"}, minutes=96).json()
    assert (again["verdict"], again["reasons"]) == ("accepted", [])
    assert HourLog.objects.get().evidence["in"]["reasons"] == []


@pytest.mark.parametrize("decision", ["reject", "approve"])
def test_decided_hours_keep_the_evidence_of_their_decision(
    api: APIClient, seat: Seat, town: Town, decision: str
) -> None:
    came = come(api, seat, later={"minutes": 85})
    out = come(api, seat, kind="out", later={"minutes": 90})
    assert out["retypes_left"] == 4
    reviewer = APIClient()
    reviewer.force_authenticate(Member.objects.get(pk=town.reviewer.pk))
    with time_machine.travel(END, tick=False):
        path = f"/api/v1/hours/{out['hours']['id']}/{decision}"
        assert reviewer.post(path, {"reason": "x"}, format="json").status_code == 200
    for made in (came, out):
        refused = send(api, f"/{made['id']}/code", {"code": "AB12CD"}, minutes=91)
        assert (refused.status_code, refused.json()["code"]) == (409, "code_settled")
        row = CheckIn.objects.get(pk=made["id"])
        assert (row.verdict, retypes_left(row, END)) == ("review", 0)
        assert row.reasons == HourLog.objects.get().evidence[row.kind]["reasons"]
