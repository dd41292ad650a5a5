"""/api/v1/plans: editing, publishing and undoing over HTTP; who may; races for one draft."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from shapely.geometry import shape

from grids.places.models import Building, CellBuilding, CellPlan, PlanEdit
from grids.zoning import editing
from tests.factories import BuildingFactory, MemberFactory, a_community
from tests.shifts.test_races import at_once
from tests.zoning.factories import Village, a_draft, a_village


@pytest.fixture
def village(db: None) -> Village:
    return a_village()


@pytest.fixture
def office(api: APIClient, village: Village) -> APIClient:
    api.force_authenticate(village.people["administrator"])
    return api


def post(api: APIClient, url: str, body: dict[str, Any], key: str = "k1") -> Any:
    return api.post(f"/api/v1/plans{url}", body, format="json", HTTP_IDEMPOTENCY_KEY=key)


def test_from_draft_to_published_and_back(office: APIClient, village: Village) -> None:
    made = post(office, "", {"community": village.community.pk, "why": "年度调整"})
    assert made.status_code == 201
    plan = made.json()
    assert (plan["state"], plan["version"], plan["can_undo"]) == ("draft", 1, False)
    assert [(cell["households"], cell["band"]) for cell in plan["cells"]] == [(160, "in")] * 3
    assert plan["may"] == {"edit": True, "publish": True, "cells": None}
    url = f"/{plan['id']}"
    body = {"version": 1, "buildings": village.column(3), "cell": village.cells[1].pk}
    moved = post(office, f"{url}/moves", body, "m")
    assert moved.status_code == 200
    assert moved.json()["version"] == 2
    # The same key answers as the first time, and moves nothing more.
    again = post(office, f"{url}/moves", body, "m")
    assert (again.json(), again["Idempotent-Replayed"]) == (moved.json(), "true")
    assert PlanEdit.objects.count() == 1
    difference = office.get(f"/api/v1/plans{url}/diff").json()
    assert (difference["buildings_moved"], difference["households_moved"]) == (4, 40)
    assert {(r["from"], r["to"]) for r in difference["moved"]} == {
        (village.cells[0].code, village.cells[1].code)
    }
    assert [(r["before"]["households"], r["after"]["households"]) for r in difference["cells"]] == [
        (160, 120),
        (160, 200),
    ]
    stale = office.post(f"/api/v1/plans{url}/publish", {"version": 1}, format="json").json()
    assert (stale["code"], stale["version"]) == ("plan_changed", 2)
    assert CellPlan.objects.get(pk=plan["id"]).state == "draft"
    done = office.post(f"/api/v1/plans{url}/publish", {"version": 2, "why": "定稿"}, format="json")
    assert (done.status_code, done.json()["state"]) == (200, "published")
    assert Building.objects.get(pk=village.column(3)[0]).cell == village.cells[1]
    back = office.post(f"/api/v1/plans{url}/undo", {}, format="json").json()
    assert (back["state"], back["id"] == plan["id"]) == ("published", False)
    assert Building.objects.get(pk=village.column(3)[0]).cell == village.cells[0]
    listed = office.get("/api/v1/plans", {"community": village.community.pk}).json()["results"]
    assert [row["state"] for row in listed] == ["draft", "published"]
    undone = office.post(f"/api/v1/plans{url}/undo", {"version": 2}, format="json")
    assert undone.json()["version"] == 3
    assert (
        office.post(f"/api/v1/plans{url}/undo", {"version": 3}, format="json").json()["code"]
        == "nothing_to_undo"
    )
    assert office.post(f"/api/v1/plans{url}/undo", {}, format="json").status_code == 400
    assert (
        office.post(f"/api/v1/plans{url}/redo", {"version": 3}, format="json").json()["version"]
        == 4
    )
    gone = office.post(f"/api/v1/plans{url}/discard", {"version": 4}, format="json")
    assert gone.json()["state"] == "discarded"
    assert office.post(f"/api/v1/plans{url}/undo", {}, format="json").json()["state"] == "draft"


def test_a_plan_is_published_at_a_date(office: APIClient, village: Village) -> None:
    plan = a_draft(village)
    url = f"/api/v1/plans/{plan.pk}/publish"
    assert office.post(url, {"at": "2020-01-01T00:00:00Z"}, format="json").status_code == 400
    at = "2999-07-01T00:00:00+08:00"
    assert office.post(url, {"at": at}, format="json").json()["publish_at"].startswith("2999-")
    assert office.post(url, {"at": None}, format="json").json()["publish_at"] is None
    assert CellPlan.objects.get(pk=plan.pk).state == "draft"


def test_redrawing_takes_in_what_was_built(office: APIClient, village: Village) -> None:
    new = [
        BuildingFactory(
            community=village.community,
            lat=37.15 - 0.0003,
            lon=122.41 + at * 0.000375,
            dwellings=10,
        )
        for at in range(3)
    ]
    made = post(office, "", {"community": village.community.pk, "redraw": True}).json()
    assert made["outside"] == {"buildings": 0, "households": 0}
    assert {cell["code"] for cell in made["cells"]} == {cell.code for cell in village.cells}
    placed = CellBuilding.objects.filter(plan=made["id"], building__in=[b.pk for b in new])
    assert set(placed.values_list("cell", flat=True)) == {village.cells[0].pk}
    difference = office.get(f"/api/v1/plans/{made['id']}/diff").json()
    assert difference["buildings_moved"] == 0
    refused = post(office, "", {"community": village.community.pk, "redraw": True}, "k2")
    assert (refused.status_code, refused.json()["code"]) == (409, "draft_exists")
    assert refused.json()["plan"] == made["id"]


def test_a_border_is_drawn_and_cells_come_as_geojson(office: APIClient, village: Village) -> None:
    plan = a_draft(village)
    lon = 122.41 + 4.5 * 0.000375
    pair = [village.cells[0].pk, village.cells[1].pk]
    body = {"version": 1, "cells": pair, "line": [[lon, 37.1499], [lon, 37.1511]]}
    assert post(office, f"/{plan.pk}/borders", body).json()["cells"] == sorted(pair)
    found = office.get(f"/api/v1/plans/{plan.pk}/cells", {"cells": f"{pair[0]},{pair[1]}"}).json()
    assert found["version"] == 2
    counts = {f["id"]: f["properties"]["households"] for f in found["features"]}
    assert counts == {pair[0]: 200, pair[1]: 120}
    assert all(shape(f["geometry"]).is_valid for f in found["features"])
    held = {f["id"]: set(f["properties"]["buildings"]) for f in found["features"]}
    assert set(village.column(4)) <= held[pair[0]]
    ground = office.get(f"/api/v1/plans/{plan.pk}/ground").json()
    assert len(ground["features"]) == 48
    assert office.get(f"/api/v1/plans/{plan.pk}/cells", {"cells": "1,x"}).status_code == 400


def test_refusals_name_the_cell_and_the_version(office: APIClient, village: Village) -> None:
    plan = a_draft(village)
    body = {"version": 1, "buildings": village.column(2), "cell": village.cells[1].pk}
    torn = post(office, f"/{plan.pk}/moves", body)
    assert (torn.status_code, torn.json()["code"]) == (409, "cell_cut_apart")
    assert village.cells[0].code in torn.json()["detail"]
    assert {row["cell"] for row in torn.json()["cells"]} == {c.pk for c in village.cells[:2]}
    stale = post(office, f"/{plan.pk}/moves", {**body, "version": 7}, "k2")
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (
        409, "plan_changed", 1,
    )  # fmt: skip
    keyless = office.post(f"/api/v1/plans/{plan.pk}/moves", body, format="json")
    assert keyless.json()["code"] == "idempotency_key_required"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": 1, "buildings": [], "cell": 1},
        {"version": 1, "buildings": ["x"], "cell": 1},
        {"version": 0, "buildings": [1], "cell": 1},
        {"version": 10**30, "buildings": [1], "cell": 1},
        {"version": 1, "buildings": [10**30], "cell": 1},
        {"version": 1, "buildings": [1], "cell": 1},
    ],
)
def test_a_bad_move_is_a_400(office: APIClient, village: Village, body: Any) -> None:
    plan = a_draft(village)
    if "buildings" in body and body["buildings"] == [1]:
        body = {**body, "buildings": [987654321]}
    assert post(office, f"/{plan.pk}/moves", body).status_code == 400


@pytest.mark.parametrize(
    "line",
    [None, [], [[1, 2]], [[1, 2], [3]], [[1, "x"], [2, 3]], [[1, 91], [2, 3]], [[181, 1], [2, 3]]],
)
def test_a_bad_line_is_a_400(office: APIClient, village: Village, line: Any) -> None:
    plan = a_draft(village)
    pair = [village.cells[0].pk, village.cells[1].pk]
    body = {"version": 1, "cells": pair, "line": line}
    assert post(office, f"/{plan.pk}/borders", body).status_code == 400


def test_who_may(api: APIClient, village: Village) -> None:
    plan = a_draft(village)
    paths = ("", "/cells", "/ground", "/diff")
    for who, status in (
        (village.people["captain"], 200),
        (village.people["member"], 403),
        (a_community().captain, 404),
        (MemberFactory(), 404),
    ):
        api.force_authenticate(who)
        assert {api.get(f"/api/v1/plans/{plan.pk}{path}").status_code for path in paths} == {status}
        listed = api.get("/api/v1/plans", {"community": village.community.pk})
        assert listed.status_code == status
        for step in ("publish", "discard"):
            answer = api.post(f"/api/v1/plans/{plan.pk}/{step}", {}, format="json")
            assert answer.status_code == max(status, 403)
    api.force_authenticate(village.people["captain"])
    assert api.get(f"/api/v1/plans/{plan.pk}").json()["may"] == {
        "edit": True, "publish": False, "cells": [village.cells[0].pk],
    }  # fmt: skip
    far = {"version": 1, "buildings": village.column(7), "cell": village.cells[2].pk}
    assert post(api, f"/{plan.pk}/moves", far).status_code == 403
    redraw = post(api, "", {"community": village.community.pk, "redraw": True}, "r")
    assert redraw.status_code == 403


def test_the_editor_page_and_its_doors(client: Client, village: Village) -> None:
    url = "/map/v/plan/"
    for who, status in (("member", 403), ("captain", 200), ("administrator", 200)):
        client.force_login(village.people[who])
        assert client.get(url).status_code == status
        assert client.get(f"{url}part/").status_code == status
        assert (url in client.get("/map/v/").content.decode()) is (status == 200)
    client.force_login(a_community().captain)
    assert client.get(url).status_code == 404
    client.force_login(village.people["captain"])
    assert client.post(f"{url}start/").status_code == 302
    page = client.get(url).content.decode()
    assert "data-editor" in page
    assert "Publish now" not in page
    assert re.search(r"(src|href)=\"(https?:)?//", page) is None
    plan = CellPlan.objects.get(state="draft")
    client.post(f"{url}publish/", {"version": 1})
    plan.refresh_from_db()
    assert plan.state == "draft"
    client.force_login(village.people["administrator"])
    client.post(f"{url}publish/", {"version": 1, "on": "2999-01-01"})
    plan.refresh_from_db()
    # The start of the day where the community is.
    assert plan.publish_at is not None
    assert plan.publish_at.isoformat() == "2998-12-31T16:00:00+00:00"
    client.post(f"{url}discard/", {"version": 1})
    assert "Restore the discarded draft" in client.get(url).content.decode()
    client.post(f"{url}undo/", {"plan": plan.pk})
    client.post(f"{url}publish/", {"version": 9})
    plan.refresh_from_db()
    assert plan.state == "draft"
    client.post(f"{url}publish/", {"version": 1, "why": "定稿"})
    plan.refresh_from_db()
    assert plan.state == "published"
    page = client.get(url).content.decode()
    assert "定稿" in page
    client.post(f"{url}undo/", {"plan": plan.pk})
    plan.refresh_from_db()
    assert plan.state == "draft"
    assert client.post(f"{url}undo/", {"plan": "x"}).status_code == 404


def test_a_plan_costs_the_same_queries_for_few_and_many_cells(
    office: APIClient, village: Village
) -> None:
    plan = a_draft(village)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            office.get(f"/api/v1/plans/{plan.pk}")
        counts.append(len(queries))
        plan.shapes.filter(cell=village.cells[2]).delete()
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_two_editors_at_once_one_is_told() -> None:
    village = a_village()
    plan = a_draft(village)
    land = editing.ground_of(village.community)
    assert land.unit

    def mover(row: int) -> Any:
        client = APIClient()
        client.force_authenticate(village.people["administrator"])

        def call() -> None:
            body = {"version": 1, "buildings": village.ids((3, row)), "cell": village.cells[1].pk}
            answer = post(client, f"/{plan.pk}/moves", body, f"row{row}")
            answers.append((answer.status_code, answer.json().get("code")))

        return call

    answers: list[Any] = []
    assert at_once([mover(row) for row in range(4)]) == ["ok"] * 4
    assert sorted(answers, key=str) == [(200, None)] + [(409, "plan_changed")] * 3
    plan.refresh_from_db()
    assert (plan.version, PlanEdit.objects.count()) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_starting_and_publishing_at_once_leave_one_of_each() -> None:
    village = a_village()
    clients = []
    for _ in range(4):
        client = APIClient()
        client.force_authenticate(village.people["administrator"])
        clients.append(client)
    found: list[int] = []

    def starter(at: int) -> Any:
        def call() -> None:
            body = {"community": village.community.pk}
            found.append(post(clients[at], "", body, f"s{at}").status_code)

        return call

    at_once([starter(at) for at in range(4)])
    assert sorted(found) == [201, 409, 409, 409]
    plan = CellPlan.objects.get(state="draft")
    found.clear()

    def publisher(at: int) -> Any:
        def call() -> None:
            found.append(
                clients[at].post(f"/api/v1/plans/{plan.pk}/publish", {}, format="json").status_code
            )

        return call

    at_once([publisher(at) for at in range(4)])
    assert sorted(found) == [200, 409, 409, 409]
    assert CellPlan.objects.filter(state="published").count() == 1
