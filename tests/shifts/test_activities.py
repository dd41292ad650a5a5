"""Activities over the API and on their pages: who sets them up, and what a change reaches."""

import re
from datetime import date, time, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from common.models import Audit
from grids.people.models import Member, Skill
from patrols.shifts import queries
from patrols.shifts.models import Activity, Shift
from patrols.shifts.recurrence import WEEKDAYS, rule_of, weekdays_of
from patrols.shifts.rules import keeps_activities
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, Town, grant, take
from tests.shifts.test_series import activity, edit_shift

pytestmark = pytest.mark.django_db
URL = "/api/v1/activities"


@pytest.fixture(autouse=True)
def clock(settings: Any) -> Any:
    settings.SHIFTS_AHEAD_DAYS = 6
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def captain(client: Client, town: Town) -> Client:
    """The captain's browser, in English."""
    Member.objects.update(language="en")
    client.force_login(town.captain)
    return client


def body(town: Town, **fields: Any) -> dict[str, Any]:
    return {
        "title": "夜间巡逻", "kind": "patrol", "community": town.community.pk,
        "cell": town.cells[0].pk, "rrule": "FREQ=WEEKLY;BYDAY=MO,WE", "starts_on": "2026-06-01",
        "starts_local": "19:00", "duration_minutes": 90, "seats": 2, **fields,
    }  # fmt: skip


def posted(town: Town, **fields: Any) -> dict[str, Any]:
    return {
        "title": "夜间巡逻", "kind": "patrol", "place": f"{town.community.pk}-{town.cells[0].pk}",
        "meeting_name": "文化路口", "starts_local": "19:00", "duration_minutes": "90",
        "weekdays": ["MO", "WE"], "rrule": "", "starts_on": "2026-06-01", "ends_on": "",
        "seats": "2", "category": "", "early_minutes": "30", "late_minutes": "15", **fields,
    }  # fmt: skip


def as_(api: APIClient, member: Member) -> APIClient:
    api.force_authenticate(Member.objects.get(pk=member.pk))
    return api


def test_weekdays_and_rules_say_the_same() -> None:
    assert rule_of(WEEKDAYS) == "FREQ=DAILY"
    assert weekdays_of("FREQ=DAILY") == list(WEEKDAYS)
    for days in (["MO"], ["TU", "SU"], list(WEEKDAYS[:6])):
        assert weekdays_of(rule_of(reversed(days))) == days
    for more in ("FREQ=WEEKLY;BYDAY=MO;INTERVAL=2", "FREQ=MONTHLY;BYDAY=1MO", "FREQ=WEEKLY",
                 "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY;BYDAY=1MO"):  # fmt: skip
        assert weekdays_of(more) is None


def test_set_up_and_change_over_the_api(api: APIClient, town: Town) -> None:
    made = as_(api, town.captain).post(URL, body(town), format="json")
    assert made.status_code == 201
    answer = made.json()
    assert (answer["category"], answer["active"], answer["ends_on"]) == ("patrol", True, None)
    assert list(Shift.objects.values_list("local_date", flat=True).order_by("local_date")) == [
        date(2026, 6, 1), date(2026, 6, 3),
    ]  # fmt: skip
    assert Audit.objects.get(action="activity.create").actor == town.captain
    one = f"{URL}/{answer['id']}"
    changed = api.patch(
        one, {"rrule": "FREQ=DAILY", "seats": 4, "ends_on": "2026-06-04"}, format="json"
    )
    assert (changed.status_code, changed.json()["seats"]) == (200, 4)
    assert Shift.objects.filter(open_seats=4).count() == 4
    audit = Audit.objects.get(action="activity.change")
    assert set(audit.after) == {"rrule", "seats_total", "ends_on"}
    assert Event.objects.filter(type="shift.changed").exists()
    assert api.get(one).json() == changed.json()
    assert [row["id"] for row in api.get(URL).json()["results"]] == [answer["id"]]
    assert api.get(f"{URL}?community={town.community.pk}").json()["results"]
    assert not api.get(f"{URL}?community={CommunityFactory().pk}").json()["results"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rrule": "FREQ=HOURLY"}, "rrule"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=SU", "ends_on": "2026-06-03"}, "ends_on"),
        ({"starts_on": "9999-12-30"}, "starts_on"),
        ({"ends_on": "2026-05-01"}, "ends_on"),
        ({"starts_local": "25:00"}, "starts_local"),
        ({"starts_local": "19:00:00+08:00"}, "starts_local"),
        ({"starts_local": "11:00Z"}, "starts_local"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"required_skills": ["none"]}, "required_skills"),
        ({"cell": 10**9}, "cell"),
        ({"kind": "raid"}, "kind"),
    ],
)
def test_bad_bodies_name_the_field(api: APIClient, town: Town, fields: Any, named: str) -> None:
    refused = as_(api, town.captain).post(URL, body(town, **fields), format="json")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, [named])
    assert not Activity.objects.exists()


def test_a_place_is_settled(api: APIClient, town: Town) -> None:
    made = activity(town)
    as_(api, town.captain)
    for path in (f"{URL}/{made.pk}", f"/api/v1/shifts/{Shift.objects.earliest('pk').pk}"):
        for name in ("community", "cell"):
            refused = api.patch(path, {name: None, "title": "x"}, format="json")
            assert (refused.status_code, list(refused.json()["errors"])) == (400, [name])
    assert not Shift.objects.filter(title="x").exists()


def test_a_category_of_the_kinds_own_follows_the_kind(
    api: APIClient, captain: Client, town: Town
) -> None:
    one = activity(town)
    single = f"/api/v1/shifts/{Shift.objects.latest('pk').pk}"
    as_(api, town.captain)
    for path in (single, f"{URL}/{one.pk}"):
        for changes, category in (
            ({"kind": "kitchen"}, "kitchen"),
            ({"seats": 2}, "kitchen"),
            ({"kind": "task", "category": "event"}, "event"),
            ({"kind": "patrol"}, "event"),
            ({"category": "patrol"}, "patrol"),
        ):
            assert api.patch(path, changes, format="json").json()["category"] == category
    page = captain.get(f"/activities/{one.pk}/").text
    assert '<option value="" selected>The same as the sort' in page


def test_a_form_sent_twice_sets_up_one(captain: Client, town: Town) -> None:
    key = re.search(r'name="key" value="(\w{32})"', captain.get("/activities/new/").text)
    assert key is not None
    body = posted(town, key=key[1])
    for _again in range(2):
        assert captain.post("/activities/new/", body).status_code == 302
    assert Activity.objects.count() == 1
    other = captain.post("/activities/new/", {**body, "title": "晨练"})
    assert other.status_code == 400
    assert "To set up this one too, send it again." in other.text
    fresh = re.search(r'name="key" value="(\w{32})"', other.text)
    assert fresh is not None
    sent = {**body, "title": "晨练", "key": fresh[1]}
    assert captain.post("/activities/new/", sent).status_code == 302
    assert Activity.objects.count() == 2


def test_who_may(api: APIClient, town: Town) -> None:
    made = activity(town)
    one, stranger = f"{URL}/{made.pk}", MemberFactory(community=CommunityFactory())
    as_(api, town.volunteers[0])
    assert api.get(one).status_code == 200
    assert api.post(URL, body(town), format="json").status_code == 403
    assert api.patch(one, {"seats": 1}, format="json").status_code == 403
    as_(api, stranger)
    assert api.get(one).status_code == 404
    assert api.patch(one, {"seats": 1}, format="json").status_code == 404
    assert api.post(URL, body(town), format="json").status_code == 404
    of_cell, chief = MemberFactory(community=town.community), MemberFactory(is_superuser=True)
    grant(of_cell, "captain", cell=town.cells[1])
    whole, other = activity(town, cell_id=None), activity(town, cell_id=town.cells[1].pk)
    for actor in (town.captain, of_cell, chief, town.reviewer, stranger):
        kept = {
            row for row in (made, whole, other)
            if keeps_activities(actor, community=row.community, cell=row.cell)
        }  # fmt: skip
        assert set(queries.activities_kept_by(actor)) == kept
        # What one may set up is what one may change.
        places = {
            (community.pk, cell)
            for community, cells, all_of_it in queries.places_kept_by(actor)
            for cell in [*(cell.pk for cell in cells), *([None] if all_of_it else [])]
        }
        assert {(row.community_id, row.cell_id) for row in kept} == places & {
            (row.community_id, row.cell_id) for row in (made, whole, other)
        }
    assert as_(api, chief).patch(one, {"seats": 1}, format="json").status_code == 200


def test_a_captain_sets_one_up_on_the_page(captain: Client, town: Town) -> None:
    Skill.objects.create(code="first-aid", name="急救")
    assert "Nothing recurs here yet" in captain.get("/activities/").text
    page = captain.get("/activities/new/").text
    assert page.count('name="weekdays"') == 7
    assert 'value="2026-06-01"' in page
    assert str(town.cells[1]) in page
    body = posted(town, required_skills=["first-aid"])
    made = captain.post("/activities/new/", body, follow=True)
    assert made.redirect_chain == [("/activities/", 302)]
    assert "夜间巡逻" in made.text
    one = Activity.objects.get()
    assert (one.rrule, one.starts_local, one.seats_total) == (
        "FREQ=WEEKLY;BYDAY=MO,WE",
        time(19),
        2,
    )
    assert (one.category, one.required_skills, one.cell) == ("patrol", ["first-aid"], town.cells[0])
    assert Shift.objects.count() == 2


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    captain: Client, town: Town
) -> None:
    for fields, said in (
        ({"weekdays": []}, "Tick at least one day."),
        ({"rrule": "FREQ=HOURLY"}, "FREQ must be DAILY"),
        ({"starts_on": "9999-12-30"}, "This year can&#x27;t be meant."),
        ({"meeting_lat": "47.1"}, "Give latitude and longitude together."),
        ({"weekdays": ["SU"], "ends_on": "2026-06-03"}, "No such day lies between"),
        ({"place": "1-1-1"}, "Select a valid choice"),
        ({"meeting_lat": "nan", "meeting_lon": "inf"}, "Enter a number"),
    ):
        page = captain.post("/activities/new/", posted(town, **fields))
        assert page.status_code == 400, fields
        assert said in page.text
        assert 'value="文化路口"' in page.text
    assert not Activity.objects.exists()
    single = posted(town, weekdays=[], ends_on="2026-06-01")
    assert captain.post("/activities/new/", single).status_code == 302
    assert Shift.objects.get().local_date == date(2026, 6, 1)


def test_a_change_on_the_page_reaches_free_shifts_only(captain: Client, town: Town) -> None:
    one = activity(town, starts_local=time(19))
    held = Shift.objects.get(local_date=date(2026, 6, 3))
    take(held.seats.first(), town.volunteers[0])
    path = f"/activities/{one.pk}/"
    page = captain.get(path).text
    assert "These stay as they are" in page
    assert f'href="/shifts/{held.pk}/"' in page
    body = posted(town, starts_local="20:00", seats="3", active="on", weekdays=list(WEEKDAYS))
    assert captain.post(path, body)["Location"] == path
    free = Shift.objects.exclude(pk=held.pk).filter(starts_at__gt=NOW)
    assert {shift.starts_at.hour for shift in free} == {12}
    held.refresh_from_db()
    assert held.starts_at.hour == 11
    assert captain.post(path, {**body, "active": ""}).status_code == 302
    assert Shift.objects.filter(state="scheduled").get() == held
    assert "Stopped" in captain.get("/activities/").text
    # A rule beyond weekdays comes back as it was written.
    rule = "FREQ=MONTHLY;BYMONTHDAY=10"
    captain.post(path, {**body, "weekdays": [], "rrule": rule})
    assert f'value="{rule}"' in captain.get(path).text
    assert rule in captain.get("/activities/").text
    assert f'href="{path}"' in captain.get(f"/shifts/{held.pk}/").text


def test_the_page_lists_what_was_changed_by_hand(captain: Client, town: Town) -> None:
    one = activity(town)
    path = f"/activities/{one.pk}/"
    assert "These stay as they are" not in captain.get(path).text
    shift = Shift.objects.get(local_date=date(2026, 6, 3))
    edit_shift(town, shift, seats=5, meeting_name="东门")
    page = captain.get(path).text
    assert f'href="/shifts/{shift.pk}/"' in page
    assert "Changed by hand: Meeting point, Places" in page
    assert "Somebody holds a place." not in page


def test_pages_are_for_captains(client: Client, town: Town) -> None:
    one = activity(town)
    paths = ("/activities/", "/activities/new/", f"/activities/{one.pk}/")
    assert {client.get(path).status_code for path in paths} == {302}
    for member, answers in (
        (town.volunteers[0], {403}),
        (MemberFactory(community=CommunityFactory()), {403, 404}),
    ):
        client.force_login(member)
        assert {client.get(path).status_code for path in paths} == answers
        assert client.post(paths[2], posted(town)).status_code in answers
    assert Activity.objects.get().seats_total == 3


def test_the_admin_reads_and_links_to_the_page(client: Client, town: Town) -> None:
    one = activity(town)
    client.force_login(MemberFactory(is_staff=True, is_superuser=True))
    path = f"/admin/shifts/activity/{one.pk}/change/"
    assert f'href="/activities/{one.pk}/"' in client.get(path).text
    assert client.post(path, {"title": "x"}).status_code == 403
    assert client.get("/admin/shifts/activity/add/").status_code == 403
    assert client.get(f"/activities/{one.pk}/").status_code == 200


def test_the_list_costs_the_same_for_one_and_for_three(
    captain: Client, town: Town, django_assert_max_num_queries: Any
) -> None:
    for days in range(3):
        activity(town, starts_on=date(2026, 6, 1) + timedelta(days=days))
    with django_assert_max_num_queries(12):
        captain.get("/activities/")
