"""A cell's stored route: when it is made anew, who sees which tour, on pages, API, GPX and map."""

import json
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from shapely import LineString, box, to_wkb
from shapely.geometry import shape

from common.unit_of_work import unit_of_work
from grids.maps import layers
from grids.places.models import CellPlan, CellShape, Street
from patrols.routes import drawing, jobs, map_layer, queries, services
from patrols.routes.gpx import NAMESPACE
from patrols.routes.models import CellRoute, CellStretch
from patrols.shifts.models import Activity
from tests.factories import NOW, MemberFactory, a_community, grant
from tests.routes.factories import (
    SOUTH,
    WEST,
    a_patrol,
    a_town_with_a_route,
    a_town_with_streets,
    add_street,
    came,
)

pytestmark = pytest.mark.django_db


def route_of(town, at=0):
    return queries.route_of_cell(town.cells[at].pk)


def test_a_cell_has_a_route_from_its_meeting_point_over_all_its_streets():
    town = a_town_with_a_route()
    route = route_of(town)
    assert len(route.tours) == 1
    assert (route.meeting_name, route.meeting_lat, route.meeting_lon) == (
        "社区门口", SOUTH, WEST,
    )  # fmt: skip
    assert route.limit_m == 6000
    way = queries.way(route, 0)
    assert way.line[0] == way.line[-1] == (WEST, SOUTH)
    walked = LineString(way.line)
    for street in Street.objects.all():
        line = shape(LineString(drawing.shapely.from_wkb(bytes(street.geometry)).coords))
        assert line.difference(walked.buffer(1e-5)).is_empty
    assert {leg.name for leg in way.legs} == {"南街", "北街", "西巷", "东巷", "中路", ""}
    assert sum(leg.metres for leg in way.legs) == pytest.approx(route.tours_m, abs=10)
    assert 0 < route.deadhead_share < 0.3
    assert route.single_m == route.tours_m


def test_nothing_is_drawn_twice_and_only_what_changed_is_drawn_anew():
    town = a_town_with_streets()
    assert jobs.refresh_routes(NOW) == 2
    assert jobs.refresh_routes(NOW) == 0
    # Far from both cells: no route changes.
    add_street(town, "远路", (122.5, 37.2), (122.51, 37.2))
    assert jobs.refresh_routes(NOW) == 0
    add_street(town, "新街", (WEST, 37.1525), (WEST + 0.003, 37.1525))
    later = NOW + timedelta(hours=1)
    assert jobs.refresh_routes(later) == 1
    assert route_of(town).computed_at == later
    assert CellStretch.objects.filter(name="新街", current=True, cell=town.cells[0]).exists()


def test_a_changed_border_or_meeting_point_makes_the_route_anew():
    town = a_town_with_a_route()
    before = route_of(town)
    Activity.objects.update(meeting_lon=122.4145)
    assert jobs.refresh_routes(NOW) == 1
    moved = route_of(town)
    assert moved.pk == before.pk
    assert moved.meeting_lon == 122.4145
    CellShape.objects.filter(cell=town.cells[0]).update(
        geometry=to_wkb(box(122.41, 37.15, 122.4145, 37.16))
    )
    jobs.refresh_routes(NOW)
    assert route_of(town).streets_m < moved.streets_m
    # The street that now lies in no cell stays known, but counts no more.
    assert not CellStretch.objects.filter(cell=town.cells[0], name="东巷", current=True).exists()
    assert CellStretch.objects.filter(cell=town.cells[0], name="东巷").exists()


def test_a_route_drawn_for_a_plan_that_is_past_is_dropped():
    town = a_town_with_streets()
    drawn = next(drawing.stale(town.community))
    CellPlan.objects.update(state="past")
    with unit_of_work(now=NOW):
        assert services.store_route(drawn=drawn, now=NOW) is None
    assert not CellRoute.objects.exists()


def test_a_border_street_belongs_to_both_cells():
    town = a_town_with_streets()
    add_street(town, "界路", (122.42, 37.151), (122.42, 37.158))
    jobs.refresh_routes(NOW)
    for cell in town.cells:
        assert CellStretch.objects.filter(cell=cell, name="界路", current=True).exists()


def test_a_short_patrol_gets_one_tour_and_every_tour_comes_within_a_week():
    town = a_town_with_a_route(minutes=60)
    route = route_of(town)
    assert 2 <= len(route.tours) <= 7
    assert all(tour["metres"] <= route.limit_m == 4000 for tour in route.tours)
    seats = [a_patrol(town, days=day) for day in range(7)]
    walked = [queries.tonight(seat.shift).ways for seat in seats]
    assert [len(ways) for ways in walked] == [1] * 7
    assert {ways[0].number for ways in walked} == set(range(len(route.tours)))
    own = {s["key"] for s in route.stretches if s["own"]}
    assert {key for ways in walked for key in ways[0].keys} == own


def test_the_numbers_of_many_shifts_are_those_of_each():
    town = a_town_with_a_route(minutes=60)
    shifts = [a_patrol(town, days=day).shift for day in range(5)]
    shifts[1].state = "cancelled"
    shifts[1].save()
    alone = [queries.night_numbers([shift]).get(shift.pk) for shift in shifts]
    assert alone == [0, None, 1, 2, 3]
    late = queries.night_numbers(shifts[2:])
    assert list(late.values()) == [1, 2, 3]


def test_streets_out_of_reach_are_named():
    town = a_town_with_streets()
    add_street(town, "岛路", (122.4125, 37.1593), (122.4135, 37.1593))
    jobs.refresh_routes(NOW)
    assert [(one["name"], one["reason"]) for one in route_of(town).unreached] == [
        ("岛路", "no_way")
    ]


def test_team_and_captain_see_the_way_and_nobody_else(api):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    url = f"/api/v1/shifts/{seat.shift_id}/route"
    for member in (town.volunteers[0], town.captain):
        found = api(member).get(url).json()
        assert found["tours_in_all"] == 1
        assert found["tours"][0]["geometry"]["type"] == "LineString"
        assert found["tours"][0]["metres"] == round(found["tours_m"])
    refused = api(town.volunteers[1]).get(url)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert api(town.volunteers[1]).get(f"{url}.gpx").status_code == 403
    assert api(MemberFactory(community=a_community().community)).get(url).status_code == 404


def test_gpx_leads_along_the_way(api):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    answer = api(town.volunteers[0]).get(f"/api/v1/shifts/{seat.shift_id}/route.gpx")
    assert answer["Content-Type"] == "application/gpx+xml"
    assert f"route-{seat.shift_id}-2026-06-01.gpx" in answer["Content-Disposition"]
    root = ET.fromstring(answer.content)
    points = [
        (float(p.get("lon")), float(p.get("lat")))
        for p in root.iterfind(f".//{{{NAMESPACE}}}trkpt")
    ]
    assert points[0] == points[-1] == (WEST, SOUTH)
    assert len(points) == len(queries.way(route_of(town), 0).line)
    assert root.findtext(f"{{{NAMESPACE}}}wpt/{{{NAMESPACE}}}name") == "社区门口"


def test_a_shift_that_walks_nowhere_has_no_route(api):
    town = a_town_with_a_route()
    kitchen = a_patrol(town, kind="kitchen")
    for path in ("route", "route.gpx"):
        answer = api(town.captain).get(f"/api/v1/shifts/{kitchen.shift_id}/{path}")
        assert answer.status_code == 404


def test_the_captain_of_the_cell_sees_all_its_tours(api):
    town = a_town_with_a_route(minutes=60)
    own = MemberFactory(community=town.community)
    grant(own, "captain", cell=town.cells[0])
    url = f"/api/v1/cells/{town.cells[0].pk}/route"
    found = api(own).get(url).json()
    assert len(found["tours"]) == found["tours_in_all"] >= 2
    assert found["teams_a_night"] == 1
    assert api(own).get(f"/api/v1/cells/{town.cells[1].pk}/route").status_code == 403
    assert api(town.volunteers[0]).get(url).status_code == 403
    CellRoute.objects.all().delete()
    assert api(own).get(url).status_code == 404


def test_the_route_page_lists_the_streets_in_order(client):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    client.force_login(town.volunteers[0])
    html = client.get(f"/shifts/{seat.shift_id}/route/").content.decode()
    legs = queries.tonight(seat.shift).ways[0].legs
    at = -1
    for leg in legs:
        at = html.index(leg.name or "无名小路", at + 1)
    assert f"/api/v1/shifts/{seat.shift_id}/route.gpx" in html
    assert "leaflet/leaflet.js" in html
    client.force_login(town.volunteers[1])
    assert client.get(f"/shifts/{seat.shift_id}/route/").status_code == 403


def test_the_page_says_so_where_there_is_no_route_yet(client):
    town = a_town_with_streets()
    seat = a_patrol(town)
    client.force_login(town.volunteers[0])
    html = client.get(f"/shifts/{seat.shift_id}/route/").content.decode()
    assert "还没有路线" in html
    assert "leaflet.js" not in html


def test_the_shift_page_leads_to_the_route_for_those_who_walk_it(client):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    door = f"/shifts/{seat.shift_id}/route/"
    client.force_login(town.volunteers[0])
    assert door in client.get(f"/shifts/{seat.shift_id}/").content.decode()
    client.force_login(town.volunteers[1])
    assert door not in client.get(f"/shifts/{seat.shift_id}/").content.decode()


def marks(code, member, town):
    layer = layers.layers[code]
    return layer.marks(member, [town.community], NOW)


def test_the_captains_map_shows_the_ways_of_tonight(client, at_now):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    a_patrol(town, days=3)
    found = marks("routes", town.captain, town)
    assert len(found) == 1
    assert found[0].geometry["coordinates"][0] == (WEST, SOUTH)
    assert (found[0].cell, found[0].url) == (town.cells[0].pk, f"/shifts/{seat.shift_id}/route/")
    assert marks("routes", town.volunteers[0], town) == []
    client.force_login(town.captain)
    html = client.get(f"/map/{town.community.code}/frame/").content.decode()
    assert f"/shifts/{seat.shift_id}/route/" in html


def test_the_captains_map_shows_the_streets_that_wait(at_now):
    town = a_town_with_a_route()
    CellStretch.objects.update(planned_on=NOW.date())
    CellStretch.objects.filter(name="中路").update(planned_on=NOW.date() - timedelta(days=8))
    found = marks("late-streets", town.captain, town)
    assert len(found) == 1
    pieces = found[0].geometry["coordinates"]
    assert len(pieces) == CellStretch.objects.filter(name="中路").count()
    assert {lon for piece in pieces for lon, _lat in piece} == {122.4145}
    assert marks("late-streets", town.volunteers[0], town) == []


def test_the_heat_map_counts_patrols_by_street(at_now):
    town = a_town_with_a_route()
    for days in (0, 1):
        seat = a_patrol(town, days=days)
        came(seat)
        jobs.count_walks(seat.ends_at)
    count = map_layer.times_walked(town.captain, [town.community], NOW.date(), NOW.date())
    assert set(count.values()) == {1}
    assert set(count) == set(Street.objects.values_list("pk", flat=True))
    later = NOW.date() + timedelta(days=1)
    both = map_layer.times_walked(town.captain, [town.community], NOW.date(), later)
    assert set(both.values()) == {2}
    past = NOW.date() - timedelta(days=9)
    none = map_layer.times_walked(town.captain, [town.community], past, past)
    assert set(none.values()) == {0}
    assert set(none) == set(count)


def test_nobody_else_learns_from_the_heat_map_which_streets_were_walked(client, at_now):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    came(seat)
    jobs.count_walks(seat.ends_at)
    page = f"/map/{town.community.code}/heat/"
    for url, name in ((page, "中路"), (f"{page}frame/", json.dumps("中路")[1:-1])):
        client.force_login(town.captain)
        assert name in client.get(url).content.decode()
        client.force_login(town.volunteers[0])
        assert name not in client.get(url).content.decode()
    other = MemberFactory(community=town.community)
    grant(other, "captain", cell=town.cells[1])
    assert map_layer.times_walked(other, [town.community], NOW.date(), NOW.date()) == {}


def test_the_map_asks_as_often_for_many_ways_as_for_one(django_assert_num_queries):
    town = a_town_with_a_route()
    a_patrol(town)
    marks("routes", town.captain, town)
    with django_assert_num_queries(4):
        assert len(marks("routes", town.captain, town)) == 1
    for member in town.volunteers[1:]:
        a_patrol(town, member=member)
    with django_assert_num_queries(4):
        assert len(marks("routes", town.captain, town)) == 4
