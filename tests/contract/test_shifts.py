"""Shifts: the list, making them, and every way to get a seat or be refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Shifts
from tests.contract.site import Person, Site, assert_problem, at_once


def instant(text: str) -> datetime:
    """Read a time as the contract wants it: ISO 8601 with a zone."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None, text
    return found


def test_the_list(captain: Person, demo: dict[str, Any]) -> None:
    page = captain.get("shifts", community=demo["community"])
    assert set(page) == {"next", "previous", "results"}
    assert page["results"]
    for shift in page["results"]:
        assert shift["community"] == demo["community"]
        assert instant(shift["starts_at"]) < instant(shift["ends_at"])
        assert shift["open_seats"] >= 0


def test_the_list_goes_on_by_cursor(site: Site, captain: Person, demo: dict[str, Any]) -> None:
    first = captain.get("shifts", community=demo["community"], page_size=7)
    seen = [row["id"] for row in first["results"]]
    assert len(seen) == 7
    page = first
    for _ in range(3):
        page = captain.call("GET", page["next"].partition("/api/v1/")[2]).json()
        seen += [row["id"] for row in page["results"]]
    assert len(set(seen)) == 28
    back = captain.call("GET", page["previous"].partition("/api/v1/")[2]).json()
    assert [row["id"] for row in back["results"]] == seen[14:21]


def test_filters(captain: Person, shifts: Shifts, demo: dict[str, Any]) -> None:
    made = shifts.later(kind="errand", seats=2)
    at = instant(made["starts_at"])
    here = {"from": at.isoformat(), "to": (at + timedelta(hours=1)).isoformat()}

    def ids(**query: Any) -> set[int]:
        return {row["id"] for row in captain.get("shifts", **query)["results"]}

    assert ids(**here) == {made["id"]}
    day = {"from": at.date().isoformat(), "to": at.date().isoformat()}
    assert made["id"] in ids(**day)
    assert ids(**here, kind="errand", open="true", cell=made["cell"]) == {made["id"]}
    assert ids(**here, kind="patrol") == set()
    assert ids(**here, cell=demo["cells"][1]) == set()
    assert ids(**here, community=987654321) == set()
    for person_shift in captain.get("shifts", open="true", page_size=200)["results"]:
        assert person_shift["open_seats"] > 0
    for row in captain.get("shifts", kind="kitchen")["results"]:
        assert row["kind"] == "kitchen"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("community=x", "community"), ("community=0", "community"), ("community=%00", "community"),
        ("community=" + "9" * 40, "community"), ("cell=1.5", "cell"), ("from=yesterday", "from"),
        ("from=2026-13-45", "from"), ("from=2026-01-01T00:00:00", "from"), ("to=%00", "to"),
        ("to=0000-00-00", "to"), ("kind=nap", "kind"), ("open=perhaps", "open"),
        ("from=9999-12-31T23:59:59-12:00", "from"), ("to=9999-12-31", "to"),
        ("from=0001-01-01T00:00:00%2B14:00", "from"),
    ],
)  # fmt: skip
def test_bad_filters(captain: Person, query: str, field: str) -> None:
    assert_problem(captain.call("GET", f"shifts?{query}"), 400, field=field)


def test_make_and_look(captain: Person, volunteers: list[Person], shifts: Shifts) -> None:
    made = shifts.later(seats=4)
    assert made["open_seats"] == 4
    for person in (captain, volunteers[0]):
        shift = person.get(f"shifts/{made['id']}")
        assert [seat["state"] for seat in shift["seats"]] == ["open"] * 4
        assert len({seat["index"] for seat in shift["seats"]}) == 4
        assert all(seat["member"] is None for seat in shift["seats"])
    assert captain.get(f"shifts/{made['id']}")["id"] == made["id"]


def test_captains_may_make_shifts_in_every_cell(shifts: Shifts, demo: dict[str, Any]) -> None:
    for cell in [*demo["cells"], None]:
        assert shifts.later(cell=cell)["cell"] == cell


def test_only_captains_make_shifts(
    volunteers: list[Person], kitchen: Person, shifts: Shifts
) -> None:
    made = shifts.later()
    body = {k: made[k] for k in ("title", "kind", "community", "cell", "starts_at", "ends_at")}
    for person in (volunteers[0], kitchen):
        assert_problem(person.post("shifts", {**body, "seats": 1}), 403)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"), ({"title": None}, "title"), ({"title": "x" * 5000}, "title"),
        ({"title": "a\x00b"}, "title"), ({"title": []}, "title"), ({"title": {}}, "title"),
        ({"kind": "nap"}, "kind"), ({"kind": None}, "kind"), ({"kind": ["patrol"]}, "kind"),
        ({"kind": {}}, "kind"),
        ({"community": None}, "community"), ({"community": "x"}, "community"),
        ({"community": 10**30}, "community"), ({"community": -1}, "community"),
        ({"community": [1]}, "community"), ({"community": 1.5}, "community"),
        ({"cell": "x"}, "cell"), ({"cell": 10**400}, "cell"), ({"cell": {}}, "cell"),
        ({"starts_at": None}, "starts_at"), ({"starts_at": 5}, "starts_at"),
        ({"starts_at": "soon"}, "starts_at"), ({"starts_at": []}, "starts_at"),
        ({"starts_at": "2031-01-01T10:00:00"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59-12:00"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"ends_at": "2020-01-01T10:00:00Z"}, "ends_at"), ({"ends_at": {}}, "ends_at"),
        ({"seats": 0}, "seats"), ({"seats": -3}, "seats"), ({"seats": 10**9}, "seats"),
        ({"seats": "many"}, "seats"), ({"seats": None}, "seats"), ({"seats": [3]}, "seats"),
        ({"seats": 10**400}, "seats"), ({"seats": 2.5}, "seats"),
        ({"required_skills": "x"}, "required_skills"),
        ({"required_skills": [{}]}, "required_skills"),
        ({"meeting_lat": 10**400, "meeting_lon": 1}, "meeting_lat"),
        ({"meeting_lat": [], "meeting_lon": 1}, "meeting_lat"),
        ({"early_minutes": 10**20}, "early_minutes"),
    ],
)  # fmt: skip
def test_shifts_that_cannot_be_made(
    captain: Person, shifts: Shifts, demo: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    starts_at = datetime.now(UTC) + timedelta(days=30)
    body = {
        "title": "x", "kind": "patrol", "community": demo["community"], "cell": demo["cells"][0],
        "starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
        "seats": 3, **change,
    }  # fmt: skip
    assert_problem(captain.post("shifts", body), 400, field=field)


def test_foreign_places(captain: Person, demo: dict[str, Any], shifts: Shifts) -> None:
    made = shifts.later()
    body = {k: made[k] for k in ("title", "kind", "community", "cell", "starts_at", "ends_at")}
    assert_problem(captain.post("shifts", {**body, "community": 987654321}), 404)
    assert captain.post("shifts", {**body, "cell": 987654321}).status_code in {400, 404}


def test_claim_and_release(volunteers: list[Person], captain: Person, shifts: Shifts) -> None:
    shift, person = shifts.later(), volunteers[0]
    claimed = person.post(f"shifts/{shift['id']}/claim")
    assert claimed.status_code in {200, 201}, claimed.text
    seen = captain.get(f"shifts/{shift['id']}")
    assert seen["open_seats"] == 2
    mine = [seat for seat in seen["seats"] if seat["member"]]
    assert [seat["member"]["id"] for seat in mine] == [person.id]
    assert mine[0]["state"] == "claimed"
    assert_problem(person.post(f"shifts/{shift['id']}/claim"), 409, "already_claimed")
    released = person.post(f"shifts/{shift['id']}/release")
    assert released.status_code == 200, released.text
    assert captain.get(f"shifts/{shift['id']}")["open_seats"] == 3
    assert_problem(person.post(f"shifts/{shift['id']}/release"), 409)
    assert person.post(f"shifts/{shift['id']}/claim").status_code in {200, 201}


def test_names_are_for_the_team(volunteers: list[Person], shifts: Shifts) -> None:
    shift = shifts.later()
    assert volunteers[0].post(f"shifts/{shift['id']}/claim").status_code == 200
    assert volunteers[0].get(f"shifts/{shift['id']}")["seats"][0]["member"]["id"]
    stranger = volunteers[1].get(f"shifts/{shift['id']}")["seats"][0]
    assert stranger["state"] == "claimed"
    assert stranger["member"] is None


def test_refusals_of_a_claim(volunteers: list[Person], captain: Person, shifts: Shifts) -> None:
    first = shifts.later(seats=1)
    at = instant(first["starts_at"])
    overlapping = shifts.make(at + timedelta(minutes=30))
    near = shifts.make(at + timedelta(minutes=95))
    person, other = volunteers[2], volunteers[3]
    assert person.post(f"shifts/{first['id']}/claim").status_code == 200
    assert_problem(other.post(f"shifts/{first['id']}/claim"), 409, "shift_full")
    assert_problem(person.post(f"shifts/{overlapping['id']}/claim"), 409, "overlapping_shift")
    assert_problem(person.post(f"shifts/{near['id']}/claim"), 409, "rest_too_short")
    body = {"member": person.id}
    for shift, code in (
        (first, "already_claimed"), (overlapping, "overlapping_shift"), (near, "rest_too_short"),
    ):  # fmt: skip
        assert_problem(captain.post(f"shifts/{shift['id']}/assign", body), 409, code)
    assert_problem(
        captain.post(f"shifts/{first['id']}/assign", {"member": other.id}), 409, "shift_full"
    )


def test_missing_skill(volunteers: list[Person], captain: Person, shifts: Shifts) -> None:
    code = "deep-sea-diving"
    assert_problem(
        captain.post(
            "shifts",
            {
                "title": "x", "kind": "patrol", "community": shifts.demo["community"], "cell": None,
                "starts_at": "2027-05-01T10:00:00Z", "ends_at": "2027-05-01T11:00:00Z",
                "seats": 1, "required_skills": ["no-such-skill"],
            },
        ),
        400,
        field="required_skills",
    )  # fmt: skip
    shift = shifts.later(required_skills=[code])
    assert_problem(volunteers[0].post(f"shifts/{shift['id']}/claim"), 403, "missing_skill")
    assert_problem(
        captain.post(f"shifts/{shift['id']}/assign", {"member": volunteers[0].id}),
        403,
        "missing_skill",
    )


def test_assign(volunteers: list[Person], captain: Person, shifts: Shifts) -> None:
    shift = shifts.later()
    path = f"shifts/{shift['id']}/assign"
    assert_problem(volunteers[0].post(path, {"member": volunteers[0].id}), 403)
    assert captain.post(path, {"member": volunteers[0].id}).status_code == 200
    for bad in ({}, {"member": None}, {"member": "x"}, {"member": [1]}, {"member": 10**30}):
        assert_problem(captain.post(path, bad), 400, field="member")
    assert_problem(captain.post(path, {"member": 987654321}), 404)


@pytest.mark.parametrize("verb", ["claim", "release", "assign", "replacements"])
def test_shifts_that_are_not(captain: Person, verb: str) -> None:
    for number in ("987654321", "999999999999999999", "9" * 30):
        if verb == "replacements":
            answer = captain.call("GET", f"shifts/{number}/{verb}")
        else:
            answer = captain.post(f"shifts/{number}/{verb}", {"member": captain.id})
        assert_problem(answer, 404)
        assert_problem(captain.call("GET", f"shifts/{number}"), 404)


def test_replacements(volunteers: list[Person], captain: Person, demo: dict[str, Any]) -> None:
    shift = captain.get(f"shifts/{demo['shifts'][0]}")
    found = captain.get(f"shifts/{shift['id']}/replacements")
    ranked = found["results"]
    assert ranked
    sitting = {seat["member"]["id"] for seat in shift["seats"] if seat["member"]}
    assert not sitting & {row["member"]["id"] for row in ranked}
    assert any(row["reasons"] for row in ranked)
    assert_problem(volunteers[0].call("GET", f"shifts/{shift['id']}/replacements"), 403)


def test_fifty_claims_on_three_seats(
    volunteers: list[Person], captain: Person, shifts: Shifts
) -> None:
    shift = shifts.later()
    people = [person for person in volunteers[:54] if person.call("GET", "me").status_code == 200]
    claims = [
        lambda person=person: person.post(f"shifts/{shift['id']}/claim") for person in people[:50]
    ]
    answers: list[httpx.Response] = at_once(claims)
    won = [answer for answer in answers if answer.status_code in {200, 201}]
    lost = [answer for answer in answers if answer.status_code not in {200, 201}]
    assert (len(won), len(lost)) == (3, 47)
    for answer in lost:
        assert_problem(answer, 409, "shift_full")
    seen = captain.get(f"shifts/{shift['id']}")
    assert seen["open_seats"] == 0
    assert len({seat["member"]["id"] for seat in seen["seats"]}) == 3


def test_one_person_claims_overlapping_shifts_at_once(
    volunteers: list[Person], shifts: Shifts
) -> None:
    first = shifts.later()
    others = [shifts.make(instant(first["starts_at"]) + timedelta(minutes=n)) for n in range(1, 8)]
    person = volunteers[5]
    answers = at_once(
        [lambda s=s: person.post(f"shifts/{s['id']}/claim") for s in (first, *others)]
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


def test_a_claim_with_a_key_is_safe_to_repeat(volunteers: list[Person], shifts: Shifts) -> None:
    shift = shifts.later()
    first = volunteers[6].post(f"shifts/{shift['id']}/claim", key="claim-once")
    again = volunteers[6].post(f"shifts/{shift['id']}/claim", key="claim-once")
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
