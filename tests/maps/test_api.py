"""Communities, cells and points over the API; the map page and its frame."""

import gzip
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from shapely import Point, Polygon, box, to_wkb
from shapely.geometry import shape

from common.unit_of_work import unit_of_work
from grids.maps import ground, layers, overlays
from grids.maps.layers import CellMark
from grids.people.services import create_estate
from grids.places import index
from grids.places.geojson import BuildingRow
from grids.places.plans import DrawnCell, publish_plan, save_plan
from grids.places.services import import_buildings
from tests.factories import (
    NOW,
    CellFactory,
    MemberFactory,
    OrganisationFactory,
    Town,
    a_community,
    grant,
)


@pytest.fixture(autouse=True)
def fresh_index() -> None:
    index.forget()


@pytest.fixture
def member(api: APIClient, town: Town) -> APIClient:
    api.force_authenticate(town.volunteers[0])
    return api


def test_communities_are_those_of_my_town(member: APIClient, town: Town) -> None:
    other = a_community()
    body = member.get("/api/v1/communities").json()
    found = {row["id"] for row in body["results"]}
    assert town.community.pk in found
    assert town.community.parent_id in found
    assert other.community.pk not in found
    assert set(body) == {"next", "previous", "results"}


def test_cells_are_geojson_with_captain_and_households(member: APIClient, town: Town) -> None:
    grant(town.volunteers[1], "captain", cell=town.cells[0])
    body = member.get("/api/v1/cells", {"community": town.community.pk}).json()
    assert body["type"] == "FeatureCollection"
    first = next(f for f in body["features"] if f["id"] == town.cells[0].pk)
    assert first["properties"] == {
        "id": town.cells[0].pk,
        "code": town.cells[0].code,
        "name": town.cells[0].code,
        "kind": "geographic",
        "community": town.community.pk,
        "households": 400,
        "captain": {"id": town.volunteers[1].pk, "name": town.volunteers[1].display_name},
    }
    assert shape(first["geometry"]).is_valid
    assert {f["id"] for f in body["features"]} == {cell.pk for cell in town.cells}


def test_a_virtual_cell_has_no_geometry(member: APIClient, town: Town) -> None:
    group = CellFactory(community=town.community, kind="virtual")
    body = member.get("/api/v1/cells", {"community": town.community.pk}).json()
    found = next(f for f in body["features"] if f["id"] == group.pk)
    assert found["geometry"] is None


@pytest.mark.parametrize(
    ("query", "status"),
    [({}, 400), ({"community": "x"}, 400), ({"community": 10**30}, 400), ({"community": 0}, 400)],
)
def test_bad_community_is_a_400(member: APIClient, query: Any, status: int) -> None:
    answer = member.get("/api/v1/cells", query)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert "community" in answer.json()["errors"]


def test_another_towns_cells_are_404(member: APIClient) -> None:
    other = a_community()
    answer = member.get("/api/v1/cells", {"community": other.community.pk})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_cells_cost_the_same_queries_for_one_and_for_three(member: APIClient, town: Town) -> None:
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            member.get("/api/v1/cells", {"community": town.community.pk})
        counts.append(len(queries))
        CellFactory(community=town.community, kind="virtual")
    # The first call also reads the member's roles.
    assert counts[1] == counts[2] <= 7


def test_locate_finds_the_cell(member: APIClient, town: Town) -> None:
    body = member.get("/api/v1/cells/locate", {"lat": 37.155, "lon": 122.425}).json()
    assert body["properties"]["id"] == town.cells[1].pk


def test_a_point_outside_says_so(member: APIClient) -> None:
    answer = member.get("/api/v1/cells/locate", {"lat": 0, "lon": 0})
    assert (answer.status_code, answer.json()["code"]) == (404, "outside_all_cells")


def test_a_point_in_another_town_says_nothing_more(member: APIClient, town: Town) -> None:
    stranger = MemberFactory(community=a_community().community)
    member.force_authenticate(stranger)
    # Both towns lie on the same spot; the cell with the lower id is the other town's.
    answer = member.get("/api/v1/cells/locate", {"lat": 37.155, "lon": 122.425})
    assert answer.json()["code"] == "outside_all_cells"


@pytest.mark.parametrize(
    "query", [{"lat": "nan", "lon": 1}, {"lat": 10**400, "lon": 0}, {"lat": 91, "lon": 0}, {}]
)
def test_a_bad_point_is_a_400(member: APIClient, query: Any) -> None:
    assert member.get("/api/v1/cells/locate", query).status_code == 400


def test_strangers_get_401(api: APIClient, db: None) -> None:
    answer = api.get("/api/v1/communities")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Token"


@pytest.fixture
def browser(client: Client, town: Town) -> Client:
    client.force_login(town.volunteers[0])
    return client


def test_the_map_page_lists_gaps_first(
    browser: Client, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = {
        town.cells[0].pk: CellMark(share=1.0, text="3 / 3"),
        town.cells[1].pk: CellMark(share=0.3, text="1 / 3"),
    }
    monkeypatch.setattr(layers, "coverage", [lambda communities, now: marks])
    page = browser.get(f"/map/{town.community.code}/").content.decode()
    assert page.index("1 / 3") < page.index("3 / 3")


def test_the_frame_names_no_other_host_and_keeps_a_strict_policy(
    browser: Client, town: Town
) -> None:
    answer = browser.get(f"/map/{town.community.code}/frame/")
    html = answer.content.decode()
    hosts = re.findall(r"""(?:src|href)=["']?(https?:)?//""", html)
    assert hosts == []
    assert "/static/leaflet/leaflet.js" in html
    policy = answer["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert "unsafe-inline" not in policy
    tags = re.findall(r"<(?:script|style)\b[^>]*>", html)
    assert tags
    assert all(f'nonce="{nonce[1]}"' in tag for tag in tags)


def test_a_name_in_the_map_is_escaped(browser: Client, town: Town) -> None:
    town.cells[0].name = "<img src=x onerror=alert(1)>"
    town.cells[0].save()
    html = browser.get(f"/map/{town.community.code}/frame/").content.decode()
    assert "<img src=x" not in html


def test_a_code_that_no_database_can_hold_is_404(browser: Client) -> None:
    assert browser.get("/map/%00/").status_code == 404


def test_another_towns_map_is_404(browser: Client) -> None:
    other = a_community()
    assert browser.get(f"/map/{other.community.code}/").status_code == 404
    assert browser.get(f"/map/{other.community.code}/frame/").status_code == 404


def test_cells_are_sent_once_and_again_after_a_plan_or_captain_changed(
    member: APIClient, town: Town
) -> None:
    url, query = "/api/v1/cells", {"community": town.community.pk}
    first = member.get(url, query, HTTP_ACCEPT_ENCODING="gzip")
    assert first["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(first.content)) == member.get(url, query).json()
    tag = first["ETag"]
    assert member.get(url, query, HTTP_IF_NONE_MATCH=tag).status_code == 304
    grant(town.volunteers[1], "captain", cell=town.cells[0])
    named = member.get(url, query, HTTP_IF_NONE_MATCH=tag)
    assert named.status_code == 200
    with unit_of_work(now=NOW) as work:
        drawn = DrawnCell(
            code=town.cells[0].code,
            households=7,
            buildings=[],
            geometry=box(122.0, 37.0, 122.1, 37.1),
            measures={},
        )
        plan = save_plan(community=town.community, cells=[drawn], measures={}, seed=1, now=work.now)
        publish_plan(plan=plan, now=work.now)
    body = member.get(url, query, HTTP_IF_NONE_MATCH=named["ETag"]).json()
    (only,) = body["features"]
    assert shape(only["geometry"]).bounds == (122.0, 37.0, 122.1, 37.1)


def test_many_corners_are_thinned_alike_on_both_sides() -> None:
    steps = [(0.01, 0.00001 * n + 0.0000001 * (n % 2)) for n in range(12_000)]
    top = steps[-1][1]
    west = Polygon([(0, 0), *steps, (0, top)])
    east = Polygon([(0.02, 0), (0.02, top), *reversed(steps)])
    found = ground.borders_of([(1, to_wkb(west)), (2, to_wkb(east))])
    a, b = (shape(json.loads(found[cell])) for cell in (1, 2))
    assert a.intersection(b).area == 0
    assert a.intersection(b).length == pytest.approx(top)
    assert len(a.exterior.coords) < 100


def test_the_ground_is_drawn_anew_after_an_import(browser: Client, town: Town) -> None:
    url = f"/map/{town.community.code}/buildings.json"
    first = browser.get(url)
    assert len(first.json()["geometries"]) == 2
    row = BuildingRow(
        source_id="new", name="", address="", street_name="", dwellings=1, levels=1,
        geometry=box(122.4, 37.1, 122.401, 37.101),
    )  # fmt: skip
    with unit_of_work(now=NOW):
        import_buildings(community=town.community, rows=[row], actor=None)
    again = browser.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert len(again.json()["geometries"]) == 3
    assert browser.get(url, HTTP_IF_NONE_MATCH=again["ETag"]).status_code == 304


@pytest.mark.parametrize("part", ["frame/", "buildings.json", "streets.json"])
def test_another_towns_ground_is_404(browser: Client, part: str) -> None:
    assert browser.get(f"/map/{a_community().community.code}/{part}").status_code == 404


def test_layers_are_on_the_map_and_counted_in_the_list(
    browser: Client, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def marks(actor: Any, communities: Any, now: Any) -> list[layers.Mark]:
        seen.append(actor)
        point = {"type": "Point", "coordinates": [122.41, 37.15]}
        return [layers.Mark(point, "</script>lamp", "open", cell=town.cells[0].pk, url="/r/1/")]

    style = layers.Style(words="Open", colour="#000000", letter="R")
    monkeypatch.setattr(layers, "layers", {})
    layers.register_layer(layers.Layer("reports", "Open reports", marks, {"open": style}))
    page = browser.get(f"/map/{town.community.code}/").content.decode()
    assert "Open reports 1" in page
    html = browser.get(f"/map/{town.community.code}/frame/").content.decode()
    assert "lamp" in html
    assert "</script>lamp" not in html
    assert seen == [town.volunteers[0]] * 2


def test_building_captains_and_estates_lie_over_the_cells(town: Town) -> None:
    captain = MemberFactory(community=town.community, display_name="楼长王")
    grant(captain, "building_captain", building=town.buildings[0])
    firm = OrganisationFactory(community=town.community, name="安居物业")
    with unit_of_work(now=NOW) as work:
        create_estate(
            community=town.community, firm=firm, name="东苑", buildings=town.buildings,
            actor=None, now=work.now,
        )  # fmt: skip
    (pin,) = overlays.building_captains(captain, [town.community], NOW)
    assert "楼长王" in pin.text
    assert pin.cell == town.cells[0].pk
    (area,) = overlays.estates(captain, [town.community], NOW)
    assert "安居物业" in area.text
    drawn = shape(area.geometry)
    assert all(drawn.contains(Point(each.lon, each.lat)) for each in town.buildings)
    assert overlays.estates(captain, [a_community().community], NOW) == []


def test_a_border_that_crosses_itself_is_drawn_all_the_same() -> None:
    bow = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    found = ground.borders_of([(1, to_wkb(bow)), (2, to_wkb(box(2, 0, 3, 1)))])
    assert shape(json.loads(found[1])).is_valid
    assert shape(json.loads(found[1])).area == pytest.approx(0.5)
    assert shape(json.loads(found[2])).area == 1


def test_a_name_in_the_map_is_never_a_template(
    browser: Client, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    # folium renders what it has rendered: braces in a name would be run on the server.
    town.cells[0].name = "{{ 6 * 7777 }}{% if"
    town.cells[0].save()
    point = {"type": "Point", "coordinates": [122.41, 37.15]}
    mark = layers.Mark(point, "{{ 5 * 7777 }}", "open")
    monkeypatch.setattr(layers, "layers", {})
    layers.register_layer(layers.Layer("x", "X", lambda *asked: [mark]))
    html = browser.get(f"/map/{town.community.code}/frame/").content.decode()
    assert "{{ 6 * 7777 }}{% if" in html
    assert "{{ 5 * 7777 }}" in html
    assert "46662" not in html
    assert "38885" not in html
