"""Which streets were walked when: by patrols that took place, and by tracks of who agreed."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from common.models import Audit
from common.unit_of_work import unit_of_work
from grids.people import registries
from grids.people.queries import export_of
from grids.people.services import give_consent, withdraw_consent
from grids.places.models import Street
from patrols.routes import jobs, queries, services
from patrols.routes.models import CellRoute, CellStretch, TrackBatch, Walk
from patrols.shifts import panels
from tests.factories import NOW, MemberFactory, grant, take
from tests.routes.factories import (
    EAST,
    SOUTH,
    WEST,
    a_patrol,
    a_town_with_a_route,
    came,
)

pytestmark = pytest.mark.django_db
TODAY = NOW.date()


def agree(member):
    with unit_of_work(member, now=NOW):
        give_consent(actor=member, purpose="track", now=NOW)


def streets(town, day=TODAY):
    return {one.name: one for one in queries.streets_walked(town.cells[:1], today=day)}


# --- by patrols that took place ---------------------------------------------------------------


def test_a_patrol_that_took_place_walked_its_tour():
    town = a_town_with_a_route()
    seat = a_patrol(town)
    came(seat)
    jobs.count_walks(seat.ends_at - timedelta(minutes=1))
    assert not Walk.objects.exists()
    jobs.count_walks(seat.ends_at)
    walk = Walk.objects.get()
    assert (walk.source, walk.walked_on, walk.cell) == ("planned", TODAY, town.cells[0])
    assert {one.walked_on for one in streets(town).values()} == {TODAY}
    jobs.count_walks(seat.ends_at + timedelta(hours=1))
    assert Walk.objects.count() == 1


@pytest.mark.parametrize("doubt", ["review", "absent", "kitchen", "cancelled", "out only"])
def test_what_did_not_surely_take_place_walked_nothing(doubt):
    town = a_town_with_a_route()
    seat = a_patrol(town, kind="kitchen" if doubt == "kitchen" else "patrol")
    if doubt == "cancelled":
        seat.shift.state = "cancelled"
        seat.shift.save()
    if doubt == "out only":
        came(seat, kind="out")
    elif doubt != "absent":
        came(seat, verdict="review" if doubt == "review" else "accepted")
    jobs.count_walks(seat.ends_at + timedelta(hours=1))
    assert not Walk.objects.exists()


def test_a_check_in_that_comes_days_later_still_counts():
    town = a_town_with_a_route()
    seat = a_patrol(town)
    jobs.count_walks(seat.ends_at)
    came(seat)
    jobs.count_walks(seat.ends_at + timedelta(days=3))
    assert Walk.objects.get().walked_on == TODAY


def test_each_night_walks_its_own_tour_and_a_street_counts_when_all_of_it_was_walked():
    town = a_town_with_a_route(minutes=60)
    tours = len(queries.route_of_cell(town.cells[0].pk).tours)
    for day in range(tours):
        seat = a_patrol(town, days=day)
        came(seat)
        jobs.count_walks(seat.ends_at)
        left = [one for one in streets(town).values() if one.never]
        assert bool(left) == (day < tours - 1)
    oldest = min(one.walked_on for one in streets(town).values())
    assert oldest == TODAY


def test_walked_streets_stay_walked_when_the_route_is_made_anew():
    town = a_town_with_a_route()
    seat = a_patrol(town)
    came(seat)
    jobs.count_walks(seat.ends_at)
    Street.objects.filter(name="东巷").delete()
    jobs.refresh_routes(NOW + timedelta(days=1))
    found = streets(town)
    assert "东巷" not in found
    assert found["西巷"].walked_on == TODAY


def test_streets_not_walked_for_longest_come_first():
    town = a_town_with_a_route()
    CellStretch.objects.update(planned_on=TODAY - timedelta(days=2))
    CellStretch.objects.filter(name="中路").update(planned_on=TODAY - timedelta(days=9))
    CellStretch.objects.filter(name="北街").update(planned_on=None)
    later = TODAY + timedelta(days=1)
    rows = queries.streets_walked(town.cells, today=later)
    assert [one.days for one in rows] == [10, 3, 3, 3, 3, 1]
    # Among those that wait alike, lanes without a name come last.
    assert [one.name for one in rows] == ["中路", *sorted(["东巷", "南街", "西巷"]), "", "北街"]
    north = next(one for one in rows if one.name == "北街")
    # Never walked: it waits since it came into the route, yesterday.
    assert (north.never, north.days) == (True, 1)


# --- who sees it ------------------------------------------------------------------------------


def test_only_the_captains_of_the_area_see_which_streets_were_walked(api, at_now):
    town = a_town_with_a_route()
    CellStretch.objects.filter(name="中路").update(planned_on=TODAY - timedelta(days=9))
    seat = a_patrol(town)
    came(seat)
    jobs.count_walks(seat.ends_at)
    url = f"/api/v1/cells/{town.cells[0].pk}/coverage"
    found = api(town.captain).get(url).json()
    assert found["days"] == 7
    assert all(one["walked_on"] == "2026-06-01" for one in found["streets"])
    assert found["streets"][0]["dates"] == {"2026-06-01": 1.0}
    assert "王" not in json.dumps(found, ensure_ascii=False)
    other = MemberFactory(community=town.community)
    grant(other, "captain", cell=town.cells[1])
    for member in (town.volunteers[0], town.reviewer, other):
        assert api(member).get(url).status_code == 403
    assert api(MemberFactory()).get(url).status_code == 404
    assert api(town.captain).get(url, {"days": 0}).status_code == 400


def test_overdue_is_what_was_not_walked_for_so_many_days(api, at_now):
    town = a_town_with_a_route()
    CellStretch.objects.update(planned_on=TODAY - timedelta(days=5))
    url = f"/api/v1/cells/{town.cells[0].pk}/coverage"
    week = api(town.captain).get(url).json()["streets"]
    assert [one["overdue"] for one in week] == [False] * 6
    short = api(town.captain).get(url, {"days": 4}).json()["streets"]
    assert [one["overdue"] for one in short] == [True] * 6


def test_the_board_shows_late_streets_to_who_leads_them(client, at_now):
    town = a_town_with_a_route()
    CellStretch.objects.update(planned_on=TODAY)
    client.force_login(town.captain)
    board = f"/board/{town.community.code}/"
    assert "late-streets" not in client.get(board).content.decode()
    CellStretch.objects.filter(name="中路").update(planned_on=TODAY - timedelta(days=8))
    html = client.get(board).content.decode()
    assert "late-streets" in html
    assert "中路" in html
    assert f"/streets/{town.community.pk}/" in html
    # The captain of the other cell alone does not see it.
    other = MemberFactory(community=town.community)
    grant(other, "captain", cell=town.cells[1])
    client.force_login(other)
    assert "late-streets" not in client.get(board).content.decode()


def test_the_page_of_streets_is_for_captains(client, at_now):
    town = a_town_with_a_route()
    url = f"/streets/{town.community.pk}/"
    client.force_login(town.captain)
    html = client.get(url).content.decode()
    assert "中路" in html
    assert client.get(f"{url}?cell={town.cells[1].pk}").status_code == 200
    assert client.get(f"{url}?cell=x").status_code == 404
    client.force_login(town.volunteers[0])
    assert client.get(url).status_code == 403
    client.force_login(MemberFactory())
    assert client.get(url).status_code == 404


def test_a_board_asks_as_often_for_many_streets_as_for_one(django_assert_max_num_queries):
    town = a_town_with_a_route()
    with django_assert_max_num_queries(4):
        panels.of_board(town.captain, town.community, NOW + timedelta(days=30))


# --- tracks -----------------------------------------------------------------------------------


def along_south(seat, *, start=5, minutes=10, every=15):
    """Points along the south street, from `start` minutes after the shift's start."""
    steps = minutes * 60 // every
    return [
        {
            "at": (seat.starts_at + timedelta(minutes=start, seconds=every * at)).isoformat(),
            "lat": SOUTH + 0.00003,
            "lon": WEST + (EAST - WEST) * at / steps,
            "accuracy_m": 12,
        }
        for at in range(steps + 1)
    ]


def send(client, seat, points, key="k1"):
    body = {"seat": seat.pk, "points": points}
    return client.post("/api/v1/tracks", body, format="json", headers={"Idempotency-Key": key})


@pytest.fixture
def duty(at_now):
    """A patrol, its member who agreed to tracks and has checked in."""
    town = a_town_with_a_route()
    seat = a_patrol(town)
    agree(seat.member)
    came(seat, after=2)
    at_now.move_to(seat.starts_at + timedelta(minutes=30))
    return town, seat


def test_a_track_on_duty_shows_which_streets_were_walked(api, duty):
    town, seat = duty
    answer = send(api(seat.member), seat, along_south(seat))
    assert answer.status_code == 201
    assert (answer.json()["kept"], answer.json()["left_out"]) == (41, 0)
    found = streets(town)
    assert found["南街"].tracked_on == TODAY
    assert {name for name, one in found.items() if one.tracked_on} == {"南街"}
    walk = Walk.objects.get(source="tracked")
    assert (walk.shift, walk.walked_on) == (seat.shift, TODAY)


def test_a_track_may_come_in_pieces_and_each_twice(api, duty):
    town, seat = duty
    points = along_south(seat)
    client = api(seat.member)
    assert send(client, seat, points[:13]).status_code == 201
    assert streets(town)["南街"].tracked_on is None
    assert send(client, seat, points[13:], key="k2").status_code == 201
    again = send(client, seat, points[13:], key="k2")
    assert again["Idempotent-Replayed"] == "true"
    assert TrackBatch.objects.count() == 2
    assert streets(town)["南街"].tracked_on == TODAY


def test_a_track_needs_a_key(api, duty):
    _town, seat = duty
    body = {"seat": seat.pk, "points": along_south(seat)}
    answer = api(seat.member).post("/api/v1/tracks", body, format="json")
    assert answer.json()["code"] == "idempotency_key_required"


def test_without_consent_nothing_is_kept(api, duty):
    _town, seat = duty
    with unit_of_work(seat.member, now=NOW):
        withdraw_consent(actor=seat.member, purpose="track", now=NOW)
    answer = send(api(seat.member), seat, along_south(seat))
    assert (answer.status_code, answer.json()["code"]) == (403, "tracks_off")
    assert not TrackBatch.objects.exists()


def test_off_duty_nothing_is_kept(api, duty, at_now):
    _town, seat = duty
    client = api(seat.member)
    before = along_south(seat, start=-60)
    answer = send(client, seat, before)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_on_duty")
    came(seat, kind="out", after=10)
    mixed = send(client, seat, along_south(seat, start=5), key="k2").json()
    assert (mixed["kept"], mixed["left_out"]) == (21, 20)
    stored = TrackBatch.objects.get().points
    assert max(point[0] for point in stored) <= (seat.starts_at + timedelta(minutes=10)).timestamp()
    # After the end, once the net is back: judged by the points' own times.
    at_now.move_to(seat.ends_at + timedelta(days=1))
    assert send(client, seat, along_south(seat, start=5), key="k3").status_code == 201
    at_now.move_to(seat.ends_at + timedelta(days=8))
    late = send(client, seat, along_south(seat, start=5), key="k4")
    assert late.json()["code"] == "not_on_duty"


def test_before_the_check_in_and_on_anothers_seat_it_is_refused(api, at_now):
    town = a_town_with_a_route()
    seat = a_patrol(town)
    agree(seat.member)
    at_now.move_to(seat.starts_at + timedelta(minutes=30))
    assert send(api(seat.member), seat, along_south(seat)).json()["code"] == "not_on_duty"
    came(seat)
    other = town.volunteers[1]
    agree(other)
    assert send(api(other), seat, along_south(seat)).json()["code"] == "not_your_seat"
    assert send(api(MemberFactory()), seat, along_south(seat)).status_code == 404


def test_a_shift_without_a_route_takes_no_track(api, at_now):
    town = a_town_with_a_route()
    seat = a_patrol(town, kind="post")
    agree(seat.member)
    came(seat)
    at_now.move_to(seat.starts_at + timedelta(minutes=30))
    assert send(api(seat.member), seat, along_south(seat)).json()["code"] == "no_route"


@pytest.mark.parametrize(
    "points",
    [
        [],
        [{"at": "2026-06-01T19:40:00+08:00", "lat": 91, "lon": 0}],
        [{"at": "2026-06-01T19:40:00", "lat": 1, "lon": 0}],
        [{"lat": 1, "lon": 0}],
        [{"at": "2026-06-01T19:40:00+08:00", "lat": 1, "lon": 0}] * 501,
        "x",
    ],
)
def test_bad_points_are_refused_by_field(api, duty, points):
    _town, seat = duty
    answer = send(api(seat.member), seat, points)
    assert answer.status_code == 400
    assert "points" in answer.json()["errors"]


def test_tracks_are_erased_in_time_and_when_the_member_no_longer_agrees(api, duty):
    town, seat = duty
    second = seat.shift.seats.get(index=2)
    take(second, town.volunteers[1])
    agree(second.member)
    came(second)
    send(api(seat.member), seat, along_south(seat))
    send(api(second.member), second, along_south(seat))
    with unit_of_work(second.member, now=NOW):
        withdraw_consent(actor=second.member, purpose="track", now=NOW)
    jobs.forget_tracks(seat.ends_at)
    assert [row.member for row in TrackBatch.objects.all()] == [seat.member]
    jobs.forget_tracks(seat.ends_at + timedelta(days=8))
    assert not TrackBatch.objects.exists()
    # What was walked stays known, and names nobody.
    assert streets(town)["南街"].tracked_on == TODAY
    assert not any(field.name == "member" for field in Walk._meta.get_fields())


def test_ones_own_tracks_are_exported_and_erased_and_stand_in_no_audit(api, duty):
    _town, seat = duty
    send(api(seat.member), seat, along_south(seat))
    part = registries.export_parts["tracks"](seat.member)
    assert len(part[0]["points"]) == 41
    assert "37.151" not in json.dumps(list(Audit.objects.values("after")))
    assert export_of(seat.member)
    with unit_of_work(seat.member, now=NOW):
        services.erase_tracks_of(seat.member, NOW)
    assert not TrackBatch.objects.exists()


def test_the_purpose_stands_among_the_consents(at_now):
    town = a_town_with_a_route()
    client = Client()
    client.force_login(town.volunteers[0])
    assert "/me/consents/track/" in client.get("/me/").content.decode()


def test_the_page_offers_to_note_the_way_only_on_duty_and_with_consent(client, duty):
    town, seat = duty
    client.force_login(seat.member)
    url = f"/shifts/{seat.shift_id}/route/"
    assert "data-track-start" in client.get(url).content.decode()
    with unit_of_work(seat.member, now=NOW):
        withdraw_consent(actor=seat.member, purpose="track", now=NOW)
    assert "data-track-start" not in client.get(url).content.decode()
    client.force_login(town.captain)
    assert "data-track-start" not in client.get(url).content.decode()
    assert CellRoute.objects.count() == 2
