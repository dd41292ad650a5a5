"""The calls under /api/v1/shifts: shapes, filters, refusals, bad bodies, who sees whom."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from grids.people.models import Member
from patrols.shifts.models import Seat, Shift
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, ShiftFactory, Town, grant, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def sign_in(api: APIClient, member: Member) -> APIClient:
    api.force_authenticate(Member.objects.get(pk=member.pk))
    return api


def body(town: Town, **fields: Any) -> dict[str, Any]:
    return {
        "title": "夜间巡逻",
        "kind": "patrol",
        "community": town.community.pk,
        "cell": town.cells[0].pk,
        "starts_at": "2026-06-01T19:00:00+08:00",
        "ends_at": "2026-06-01T20:30:00+08:00",
        "seats": 3,
        **fields,
    }


def test_a_captain_makes_a_shift(api: APIClient, town: Town) -> None:
    answer = sign_in(api, town.captain).post("/api/v1/shifts", body(town), format="json")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["seats_total"], made["open_seats"], made["category"], made["local_date"]) == (
        3, 3, "patrol", "2026-06-01",
    )  # fmt: skip
    assert [seat["index"] for seat in made["seats"]] == [1, 2, 3]
    assert len(made["meeting_code"]) == 6
    assert Seat.objects.filter(shift=made["id"], starts_at="2026-06-01T11:00:00Z").count() == 3
    assert set(Event.objects.values_list("topic__name", "type")) == {
        (f"community:{town.community.pk}", "shift.created"),
        (f"cell:{town.cells[0].pk}", "shift.created"),
    }


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"title": ""}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": None}, "title"),
        ({"title": {"a": 1}}, "title"),
        ({"kind": "party"}, "kind"),
        ({"seats": 0}, "seats"),
        ({"seats": 51}, "seats"),
        ({"seats": "many"}, "seats"),
        ({"seats": 10**30}, "seats"),
        ({"community": 10**30}, "community"),
        ({"community": None}, "community"),
        ({"community": [1]}, "community"),
        ({"cell": "x"}, "cell"),
        ({"starts_at": "2026-06-01T19:00:00"}, "starts_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"starts_at": 5}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"starts_at": "2026-06-01T20:30:00+08:00"}, "ends_at"),
        ({"ends_at": "2026-06-02T19:00:01+08:00"}, "ends_at"),
        ({"starts_at": "2026-05-31T19:00:00Z", "ends_at": "2026-06-01T06:00:00Z"}, "ends_at"),
        (
            {"starts_at": "2029-06-01T19:00:00Z", "ends_at": "2029-06-01T20:00:00Z"},
            "starts_at",
        ),
        ({"required_skills": ["juggling"]}, "required_skills"),
        ({"required_skills": "juggling"}, "required_skills"),
        ({"required_skills": ["a\x00"]}, "required_skills"),
        ({"meeting_lat": 95}, "meeting_lat"),
        ({"meeting_lat": 37.1}, "meeting_lat"),
        ({"meeting_lat": "NaN", "meeting_lon": 1}, "meeting_lat"),
        ({"late_minutes": -1}, "late_minutes"),
    ],
)
def test_bad_bodies_name_the_field(
    api: APIClient, town: Town, fields: dict[str, Any], named: str
) -> None:
    answer = sign_in(api, town.captain).post("/api/v1/shifts", body(town, **fields), format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert named in answer.json()["errors"]
    assert not Shift.objects.exists()


@pytest.mark.parametrize("sent", ["[]", "null", '"x"', "{", "5", "\x00"])
def test_bodies_of_another_shape(api: APIClient, town: Town, sent: str) -> None:
    shift = ShiftFactory(community=town.community)
    client = sign_in(api, town.captain)
    for path in ("shifts", f"shifts/{shift.pk}/assign", f"shifts/{shift.pk}/release"):
        answer = client.post(f"/api/v1/{path}", sent, content_type="application/json")
        assert answer.status_code == 400, (path, answer.content)
        assert answer["Content-Type"] == "application/problem+json"


def test_a_cell_of_another_community_is_refused(api: APIClient, town: Town) -> None:
    other = CommunityFactory(parent=town.community.parent)
    grant(town.captain, "captain", community=other)
    answer = sign_in(api, town.captain).post(
        "/api/v1/shifts", body(town, community=other.pk), format="json"
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cell"])


def test_who_may_make_shifts(api: APIClient, town: Town) -> None:
    post = lambda member, **fields: sign_in(api, member).post(  # noqa: E731
        "/api/v1/shifts", body(town, **fields), format="json"
    )
    assert post(town.volunteers[0]).status_code == 403
    stranger = MemberFactory(community=CommunityFactory())
    grant(stranger, "captain", community=stranger.community)
    assert post(stranger).status_code == 404
    assert post(town.captain, community=10**9).status_code == 404
    of_cell = MemberFactory(community=town.community)
    grant(of_cell, "captain", cell=town.cells[0])
    assert post(of_cell).status_code == 201
    assert post(of_cell, cell=town.cells[1].pk).status_code == 403
    assert post(of_cell, cell=None).status_code == 403


def test_names_are_for_captain_team_and_oneself(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    one, two, other = town.volunteers[:3]
    take(shift.seats.get(index=1), one)
    take(shift.seats.get(index=2), two)

    def names(member: Member) -> list[str | None]:
        seats = sign_in(api, member).get(f"/api/v1/shifts/{shift.pk}").json()["seats"]
        assert [seat["state"] for seat in seats] == ["claimed", "claimed", "open"]
        return [seat["member"] and seat["member"]["name"] for seat in seats]

    everybody = [one.display_name, two.display_name, None]
    assert names(one) == names(town.captain) == everybody
    assert names(other) == [None, None, None]
    assert sign_in(api, other).get(f"/api/v1/shifts/{shift.pk}").json()["meeting_code"] is None
    captain = sign_in(api, town.captain).get(f"/api/v1/shifts/{shift.pk}").json()
    assert captain["meeting_code"] == shift.meeting_code


def test_other_districts_ids_are_404(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    client = sign_in(api, MemberFactory(community=CommunityFactory()))
    assert client.get(f"/api/v1/shifts/{shift.pk}").status_code == 404
    for act in ("claim", "release", "assign", "cancel"):
        answer = client.post(f"/api/v1/shifts/{shift.pk}/{act}", {"member": 1}, format="json")
        assert answer.status_code == 404, act
    assert client.patch(f"/api/v1/shifts/{shift.pk}", {}, format="json").status_code == 404
    assert client.get(f"/api/v1/shifts/{10**17}").status_code == 404
    assert client.get(f"/api/v1/shifts/{10**30}").status_code == 404
    assert client.get("/api/v1/shifts").json()["results"] == []
    assert APIClient().get("/api/v1/shifts").status_code == 401


def test_claim_release_and_assign_over_http(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    member = town.volunteers[0]
    url = f"/api/v1/shifts/{shift.pk}"
    answer = sign_in(api, member).post(f"{url}/claim")
    assert answer.status_code == 200
    seat = answer.json()
    assert (seat["state"], seat["open_seats"], seat["member"]["id"], seat["shift"]) == (
        "claimed", 2, member.pk, shift.pk,
    )  # fmt: skip
    again = api.post(f"{url}/claim")
    assert (again.status_code, again.json()["code"]) == (409, "already_claimed")
    released = api.post(f"{url}/release")
    assert (released.status_code, released.json()["open_seats"]) == (200, 3)
    assert api.post(f"{url}/assign", {"member": member.pk}, format="json").status_code == 403
    sign_in(api, town.captain)
    assert api.post(f"{url}/assign", {}, format="json").status_code == 400
    assert api.post(f"{url}/assign", {"member": 10**12}, format="json").status_code == 404
    given = api.post(f"{url}/assign", {"member": member.pk}, format="json")
    assert (given.status_code, given.json()["state"]) == (200, "assigned")
    freed = api.post(f"{url}/release", {"member": member.pk}, format="json")
    assert freed.json()["open_seats"] == 3


def test_a_repeated_key_claims_once(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    sign_in(api, town.volunteers[0])
    first, again = (
        api.post(f"/api/v1/shifts/{shift.pk}/claim", HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
    )
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Seat.objects.filter(member=town.volunteers[0]).count() == 1


def test_filters(api: APIClient, town: Town) -> None:
    near = ShiftFactory(community=town.community, cell=town.cells[0], seats_total=1)
    take(near.seats.get(), town.volunteers[0])
    late = ShiftFactory(
        community=town.community,
        cell=town.cells[1],
        kind="kitchen",
        starts_at=NOW + timedelta(days=2),
    )
    over = ShiftFactory(community=town.community, starts_at=NOW - timedelta(hours=3))
    district = ShiftFactory(
        community=town.community.parent, starts_at=NOW + timedelta(days=4), state="cancelled"
    )
    sign_in(api, town.volunteers[1])

    def found(**query: Any) -> list[int]:
        answer = api.get("/api/v1/shifts", query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    assert found() == [near.pk, late.pk, district.pk]
    assert found(community=town.community.pk) == [near.pk, late.pk]
    assert found(community=town.community.parent.pk) == [near.pk, late.pk, district.pk]
    assert found(community=CommunityFactory().pk) == []
    assert found(cell=town.cells[1].pk) == [late.pk]
    assert found(kind="kitchen") == [late.pk]
    assert found(open="true") == [late.pk]
    assert found(open="false") == [near.pk]
    assert found(**{"from": "2026-06-01"}) == [over.pk, near.pk, late.pk, district.pk]
    assert found(**{"from": "2026-06-01T07:00:01Z", "to": "2026-06-04"}) == [late.pk]
    assert found(to=late.starts_at.isoformat()) == [near.pk]
    assert found(to="2026-06-03") == [near.pk, late.pk]
    first = api.get("/api/v1/shifts", {"page_size": 2}).json()
    rest = api.get(first["next"]).json()
    assert [row["id"] for row in rest["results"]] == [district.pk]


@pytest.mark.parametrize(
    "query",
    [
        {"community": "x"}, {"community": 10**30}, {"cell": "-1"}, {"kind": "party"},
        {"open": "perhaps"}, {"from": "soon"}, {"from": "2026-06-01T10:00"}, {"to": "2026-13-01"},
        {"from": "0001-01-01"}, {"from": "\x00"},
    ],
)  # fmt: skip
def test_bad_filters_are_400(api: APIClient, town: Town, query: dict[str, Any]) -> None:
    answer = sign_in(api, town.captain).get("/api/v1/shifts", query)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(query)


def test_lists_cost_the_same_however_long(api: APIClient, town: Town) -> None:
    counts: dict[str, list[int]] = {"list": [], "one": []}
    for round_ in range(2):
        for at in range(1 + 2 * round_):
            shift = ShiftFactory(
                community=town.community,
                cell=town.cells[at % 2],
                starts_at=NOW + timedelta(hours=3 * at + 12 * round_ + 1),
            )
            take(shift.seats.get(index=1), town.volunteers[at])
            if round_:
                take(shift.seats.get(index=2), town.volunteers[3])
        for name, path in (("list", "shifts"), ("one", f"shifts/{shift.pk}")):
            sign_in(api, town.captain)
            with CaptureQueriesContext(connection) as queries:
                assert api.get(f"/api/v1/{path}").status_code == 200
            counts[name].append(len(queries))
    assert counts["list"][0] == counts["list"][1] <= 3
    assert counts["one"][0] == counts["one"][1] <= 4


def test_a_captain_changes_a_shift(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    url = f"/api/v1/shifts/{shift.pk}"
    take(shift.seats.get(index=3), town.volunteers[0])
    other = ShiftFactory(community=town.community, starts_at=NOW + timedelta(hours=10))
    take(other.seats.first(), town.volunteers[0])
    sign_in(api, town.captain)
    more = api.patch(url, {"seats": 5, "title": "晚间巡逻"}, format="json").json()
    assert (more["seats_total"], more["open_seats"], len(more["seats"])) == (5, 4, 5)
    fewer = api.patch(url, {"seats": 1}, format="json").json()
    assert (fewer["open_seats"], [seat["index"] for seat in fewer["seats"]]) == (0, [3])
    refused = api.patch(
        url,
        {"starts_at": other.starts_at.isoformat(), "ends_at": other.ends_at.isoformat()},
        format="json",
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "overlapping_shift")
    moved = api.patch(
        url,
        {"starts_at": "2026-06-02T19:00:00+08:00", "ends_at": "2026-06-02T20:00:00+08:00"},
        format="json",
    )
    assert (moved.status_code, moved.json()["local_date"]) == (200, "2026-06-02")
    assert Seat.objects.get(shift=shift).ends_at == Shift.objects.get(pk=shift.pk).ends_at
    assert Event.objects.filter(
        topic__name=f"member:{town.volunteers[0].pk}", type="shift.changed"
    ).exists()
    full = ShiftFactory(community=town.community, seats_total=2)
    for seat, member in zip(full.seats.all(), town.volunteers[1:], strict=False):
        take(seat, member)
    answer = api.patch(f"/api/v1/shifts/{full.pk}", {"seats": 1}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "seats_taken")
    assert api.patch(url, {"title": ""}, format="json").status_code == 400
    assert sign_in(api, town.volunteers[0]).patch(url, {}, format="json").status_code == 403


def test_cancelling_frees_the_seats(api: APIClient, town: Town) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    take(shift.seats.first(), town.volunteers[0])
    url = f"/api/v1/shifts/{shift.pk}/cancel"
    assert sign_in(api, town.volunteers[0]).post(url).status_code == 403
    answer = sign_in(api, town.captain).post(url)
    assert (answer.status_code, answer.json()["state"], answer.json()["open_seats"]) == (
        200, "cancelled", 3,
    )  # fmt: skip
    assert api.post(url).json()["code"] == "shift_cancelled"
    mine = Event.objects.filter(topic__name=f"member:{town.volunteers[0].pk}").order_by("seq")
    assert [event.type for event in mine] == ["seat.released", "shift.cancelled"]
    out = ShiftFactory(community=town.community)
    take(out.seats.first(), town.volunteers[1], "checked_in")
    answer = api.post(f"/api/v1/shifts/{out.pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    over = ShiftFactory(community=town.community, starts_at=NOW - timedelta(hours=3))
    assert api.post(f"/api/v1/shifts/{over.pk}/cancel").json()["code"] == "shift_over"
