"""From the database to a plan and back: asked, solved, applied; every refusal."""

import json
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django_tasks_db.models import DBTaskResult
from rest_framework.test import APIClient

from common.unit_of_work import unit_of_work
from grids.people.models import Member, MemberSkill, Skill
from patrols.rosters import services, tasks
from patrols.rosters.assemble import build_problem
from patrols.rosters.checker import check_files
from patrols.rosters.models import AvailabilityException, RosterRun, RosterSeat
from patrols.rosters.pages import _run
from patrols.rosters.problem import MemberSpec, Problem
from patrols.rosters.solving import solve_now
from patrols.rosters.transitions import RUN_STEPS, RunStepRefused, step
from patrols.shifts.models import Seat, Shift
from realtime.models import Event
from tests.factories import NOW, CommunityFactory, MemberFactory, ShiftFactory, Town, grant, take
from tests.rosters_app.factories import MONDAY, RosterRunFactory, a_week, evenings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def problem_of(town: Town, **options: Any) -> Problem:
    return build_problem(town.community, **{"from_on": MONDAY, "days": 7, "now": NOW, **options})


def spec(problem: Problem, member: Member) -> MemberSpec:
    return next(one for one in problem.members if one.id == member.pk)


def test_the_problem_holds_what_the_database_knows(town: Town) -> None:
    shifts = a_week(town)
    one, two, three, mute = town.volunteers
    evenings(one, 1, most_shifts_a_week=3, most_days_in_a_row=2, experienced=True)
    evenings(two, neighbouring_cells=False, most_minutes_a_week=300)
    evenings(three)
    AvailabilityException.objects.create(member=one, on=MONDAY, available=False)
    first_aid = Skill.objects.create(code="first-aid", name="First aid")
    MemberSkill.objects.create(member=one, skill=first_aid)
    MemberSkill.objects.create(member=two, skill=first_aid, expires_on=MONDAY)
    take(shifts[0].seats.get(index=1), two)
    past = ShiftFactory(community=town.community, starts_at=NOW - timedelta(days=3))
    take(past.seats.first(), three, "checked_out")
    ShiftFactory(community=town.community, starts_at=NOW + timedelta(days=1), state="cancelled")
    ShiftFactory(community=town.community, starts_at=NOW - timedelta(minutes=1))
    ShiftFactory(community=town.community, starts_at=NOW + timedelta(days=7))
    ShiftFactory(community=CommunityFactory(parent=town.community.parent))

    problem = problem_of(town)

    assert {one.id for one in problem.shifts} == {shift.pk for shift in shifts}
    assert all(shift.least == 2 for shift in problem.shifts)
    locked = {seat.id: seat.locked for seat in problem.seats if seat.locked}
    assert locked == {shifts[0].seats.get(index=1).pk: two.pk}
    assert {member.id for member in problem.members} == {one.pk, two.pk, three.pk}
    assert mute.pk not in {member.id for member in problem.members}
    specs = [spec(problem, member) for member in (one, two, three)]
    assert specs[0].available == ()
    assert (specs[0].experienced, specs[0].most_shifts, specs[0].most_days_in_row) == (True, 3, 2)
    assert [one.skills for one in specs] == [{"first-aid"}, set(), set()]
    assert [one.home_cell for one in specs] == [town.cells[at % 2].pk for at in range(3)]
    assert specs[0].other_cells == {town.cells[1].pk}
    assert specs[1].other_cells == set()
    assert (specs[1].most_minutes, specs[0].most_minutes) == (300, None)
    assert [one.past_load for one in specs] == [0, 0, 1]
    assert all(one.least_rest_minutes == 60 for one in specs)
    # Friday is in the week before: it counts for rest, not for this week's limit.
    assert len(specs[2].busy) == 1
    assert specs[2].most_shifts == 2


def test_seats_elsewhere_in_the_same_week_use_up_the_limit(town: Town) -> None:
    member = evenings(town.volunteers[0], most_shifts_a_week=2, most_minutes_a_week=200)
    a_week(town)
    elsewhere = ShiftFactory(
        community=CommunityFactory(parent=town.community.parent), starts_at=NOW + timedelta(days=2)
    )
    take(elsewhere.seats.first(), member)
    found = spec(problem_of(town), member)
    assert (found.most_shifts, found.most_minutes, len(found.busy)) == (1, 110, 1)
    # A plan from Wednesday reaches into the next week: the fuller one of the two binds.
    assert spec(problem_of(town, from_on=MONDAY + timedelta(days=3)), member).most_shifts == 1


def test_building_costs_the_same_at_any_size(town: Town) -> None:
    counts = []
    for members in (town.volunteers[:1], town.volunteers[1:]):
        a_week(town)
        for member in members:
            evenings(member)
        with CaptureQueriesContext(connection) as queries:
            problem_of(town)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def solved(town: Town, **fields: Any) -> RosterRun:
    run = RosterRunFactory(community=town.community, asked_by=town.captain, **fields)
    return solve_now(run.pk)[0]


def test_a_plan_is_solved_and_kept(town: Town) -> None:
    shifts = a_week(town, days=4, seats=2)
    for member in town.volunteers[:3]:
        evenings(member, 1, 2, 3)
    held = take(shifts[0].seats.first(), town.volunteers[0])
    run = solved(town)
    assert (run.state, run.seats_total, run.seats_filled) == ("ready", 8, 6)
    assert (run.gap, run.objective) == (0, run.bound)
    planned = RosterSeat.objects.filter(run=run)
    assert planned.filter(member__isnull=False).count() == 5
    assert not planned.filter(seat=held).exists()
    assert {row.why["code"] for row in planned.filter(member=None)} == {"nobody_available"}
    topics = Event.objects.filter(type="roster.ready").values_list("topic__name", flat=True)
    assert set(topics) == {f"community:{town.community.pk}", f"member:{town.captain.pk}"}
    assert Seat.objects.exclude(member=None).count() == 1


def apply(run: RosterRun, actor: Member) -> RosterRun:
    with unit_of_work(actor, now=NOW):
        return services.apply_run(run_id=run.pk, actor=actor, now=NOW)


def test_applying_assigns_in_one_go_and_reports_what_changed(town: Town) -> None:
    shifts = a_week(town, days=3, seats=1)
    for member in town.volunteers[:3]:
        evenings(member, most_shifts_a_week=1)
    run = solved(town)
    assert run.seats_filled == 3
    rows = {row.seat.shift_id: row for row in RosterSeat.objects.filter(run=run)}
    other = MemberFactory(community=town.community)
    take(rows[shifts[0].pk].seat, other)
    Shift.objects.filter(pk=shifts[1].pk).update(state="cancelled")
    applied = apply(run, town.captain)
    assert (applied.state, applied.measures["assigned"]) == ("applied", 1)
    assert {one["seat"]: one["reason"] for one in applied.measures["skipped"]} == {
        rows[shifts[0].pk].seat_id: "seat_taken",
        rows[shifts[1].pk].seat_id: "shift_cancelled",
    }
    seat = Seat.objects.get(pk=rows[shifts[2].pk].seat_id)
    assert (seat.state, seat.member_id, seat.taken_at) == (
        "assigned", rows[shifts[2].pk].member_id, NOW,
    )  # fmt: skip
    assert [shift.open_seats for shift in Shift.objects.order_by("pk")] == [0, 1, 0]
    assert Event.objects.filter(type="seat.assigned").count() == 3
    with pytest.raises(RunStepRefused) as refused:
        apply(run, town.captain)
    assert refused.value.data == {"from": "applied", "to": "applied", "by": "captain"}


def test_applying_checks_people_again(town: Town) -> None:
    one, two, three, four = town.volunteers
    shifts = a_week(town, days=5, seats=1)
    run = RosterRunFactory(community=town.community, state="ready")
    people = [one, two, three, four, one]
    for shift, member in zip(shifts, people, strict=True):
        RosterSeat.objects.create(run=run, seat=shift.seats.get(), member=member)
    Member.objects.filter(pk=one.pk).update(is_active=False)
    clash = ShiftFactory(community=town.community, starts_at=shifts[1].starts_at)
    take(clash.seats.first(), two)
    tight = ShiftFactory(
        community=town.community, starts_at=shifts[2].ends_at + timedelta(minutes=30)
    )
    take(tight.seats.first(), three)
    Shift.objects.filter(pk=shifts[3].pk).update(required_skills=["first-aid"])
    applied = apply(run, town.captain)
    assert [row["reason"] for row in applied.measures["skipped"]] == [
        "member_gone", "overlapping_shift", "rest_too_short", "missing_skill", "member_gone",
    ]  # fmt: skip
    assert applied.measures["assigned"] == 0
    skipped = _run(town.captain, applied)["skipped"]
    assert sorted(n for _text, n in skipped) == [1, 1, 1, 2]
    page = render_to_string("rosters/_run.html", _run(town.captain, applied))
    assert page.count(skipped[0][0]) == 1


def test_who_may_plan(town: Town, api: APIClient) -> None:
    run = RosterRunFactory(community=town.community, state="ready")
    of_cell = MemberFactory(community=town.community)
    grant(of_cell, "captain", cell=town.cells[0])
    foreign = MemberFactory(community=CommunityFactory())
    grant(foreign, "captain", community=foreign.community)
    ask = {"community": town.community.pk, "from": "2026-06-01", "days": 7}
    for member, status in ((town.volunteers[0], 403), (of_cell, 403), (foreign, 404)):
        api.force_authenticate(member)
        assert api.post("/api/v1/rosters", ask, format="json").status_code == status
        assert api.get(f"/api/v1/rosters/{run.pk}").status_code == 404
        assert api.post(f"/api/v1/rosters/{run.pk}/apply").status_code == 404


def test_asking_over_http_enqueues_and_the_worker_solves(town: Town, api: APIClient) -> None:
    a_week(town, days=2, seats=1)
    evenings(town.volunteers[0])
    api.force_authenticate(town.captain)
    answer = api.post(
        "/api/v1/rosters",
        {"community": town.community.pk, "from": "2026-06-01", "days": 7, "seconds": 5},
        format="json",
    )
    assert answer.status_code == 202
    run_id = answer.json()["id"]
    queued = DBTaskResult.objects.get()
    assert queued.args_kwargs == {"args": [run_id], "kwargs": {}}
    assert api.get(f"/api/v1/rosters/{run_id}").json()["state"] == "queued"
    early = api.post(f"/api/v1/rosters/{run_id}/apply")
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    tasks.solve_run.func(run_id)
    tasks.solve_run.func(run_id)
    tasks.solve_run.func(10**9)
    plan = api.get(f"/api/v1/rosters/{run_id}").json()
    assert (plan["state"], plan["seats_total"], plan["seats_filled"]) == ("ready", 2, 2)
    assert {row["member"]["id"] for row in plan["planned"]} == {town.volunteers[0].pk}
    done = api.post(f"/api/v1/rosters/{run_id}/apply").json()
    assert (done["state"], done["assigned"], done["skipped"]) == ("applied", 2, [])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"days": 0}, "days"), ({"days": 8}, "days"), ({"days": "x"}, "days"),
        ({"from": "soon"}, "from"), ({"from": "1999-01-01"}, "from"), ({"from": [1]}, "from"),
        ({"seconds": 0}, "seconds"), ({"seconds": 1e9}, "seconds"), ({"seconds": "NaN"}, "seconds"),
        ({"community": None}, "community"), ({"seed": -1}, "seed"), ({"seed": 10**30}, "seed"),
    ],
)  # fmt: skip
def test_bad_requests(town: Town, api: APIClient, fields: Any, named: str) -> None:
    api.force_authenticate(town.captain)
    body = {"community": town.community.pk, "from": "2026-06-01", **fields}
    answer = api.post("/api/v1/rosters", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [named])
    assert not RosterRun.objects.exists()


def test_a_crash_is_kept_for_the_captain(town: Town) -> None:
    run = RosterRunFactory(community=town.community)
    with (
        mock.patch("patrols.rosters.solving.solve", side_effect=ValueError("no memory")),
        pytest.raises(ValueError, match="no memory"),
    ):
        solve_now(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "no memory")


def test_an_empty_week_is_an_empty_plan(town: Town) -> None:
    run = solved(town)
    assert (run.state, run.seats_total, run.gap) == ("ready", 0, 0)


def test_the_table_refuses_and_names_the_step() -> None:
    for state, allowed in RUN_STEPS.items():
        for to in RosterRun.State.values:
            run = RosterRun(state=state)
            if to in allowed:
                step(run, to, by="system")
                assert run.state == to
            else:
                with pytest.raises(RunStepRefused) as refused:
                    step(run, to, by="system")
                assert refused.value.data == {"from": str(state), "to": to, "by": "system"}


def test_the_command_from_end_to_end(town: Town, tmp_path: Path, capsys: Any) -> None:
    a_week(town, days=7, seats=2)
    for member in [*town.volunteers, town.captain, town.reviewer, town.bookkeeper]:
        evenings(member)
    figures, folder = tmp_path / "plan.json", tmp_path / "dump"
    call_command(
        "make_roster", "--community", town.community.code, "--from", "2026-06-01", "--days", "7",
        "--seconds", "10", "--apply", "--json", str(figures), "--dump", str(folder),
    )  # fmt: skip
    told = json.loads(figures.read_text())
    assert (told["seats_total"], told["seats_filled"], told["open"]) == (14, 14, [])
    assert {"objective", "bound", "gap", "seconds"} <= set(told)
    assert (told["assigned"], told["skipped"]) == (14, [])
    problem, solution = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("problem", "solution")
    )
    assert check_files(problem, solution) == []
    held = {
        str(seat): member
        for seat, member in Seat.objects.filter(state="assigned").values_list("pk", "member")
    }
    assert held == solution["seats"]
    assert not Shift.objects.filter(open_seats__gt=0).exists()
    assert "14 of 14 seats filled" in capsys.readouterr().out


def test_the_command_refuses_in_words(town: Town) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("make_roster", "--community", "nowhere")
    with pytest.raises(CommandError, match="--days"):
        call_command("make_roster", "--community", town.community.code, "--days", "9")


# --- Replacements ----------------------------------------------------------------------------


def ranked(api: APIClient, town: Town, shift: Shift) -> list[dict[str, Any]]:
    api.force_authenticate(Member.objects.get(pk=town.captain.pk))
    answer = api.get(f"/api/v1/shifts/{shift.pk}/replacements")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_replacements_are_ranked_with_reasons(town: Town, api: APIClient) -> None:
    shift = ShiftFactory(
        community=town.community, cell=town.cells[0], starts_at=NOW + timedelta(hours=5)
    )
    home, next_door, sitting, busy = town.volunteers
    for member in town.volunteers:
        evenings(member, 1)
    away = evenings(MemberFactory(community=town.community, home=town.buildings[0]), 2)
    tired = evenings(
        MemberFactory(community=town.community, home=town.buildings[0]), 1, most_shifts_a_week=1
    )
    other = ShiftFactory(community=town.community, starts_at=NOW + timedelta(days=2))
    take(other.seats.first(), tired)
    take(shift.seats.first(), sitting)
    take(ShiftFactory(community=town.community, starts_at=shift.starts_at).seats.first(), busy)
    found = ranked(api, town, shift)
    assert [one["member"]["id"] for one in found] == [
        home.pk, next_door.pk, tired.pk, away.pk,
    ]  # fmt: skip
    assert found[0]["reasons"] == ["home_cell", "available"]
    assert found[1]["reasons"] == ["neighbouring_cell", "available"]
    assert found[2]["reasons"] == ["home_cell", "available", "at_weekly_limit"]
    assert found[3]["reasons"] == ["home_cell", "not_available"]


def test_the_captain_of_a_cell_finds_people_next_door_by_name_only(
    town: Town, api: APIClient
) -> None:
    captain = MemberFactory(community=town.community)
    grant(captain, "captain", cell=town.cells[0])
    api.force_authenticate(captain)
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    next_door = evenings(town.volunteers[1])
    evenings(MemberFactory(community=town.community.parent))
    found = api.get(f"/api/v1/shifts/{shift.pk}/replacements").json()["results"]
    assert [one["member"] for one in found] == [
        {"id": next_door.pk, "name": next_door.display_name}
    ]


def test_replacements_need_the_skill_and_share_the_load(town: Town, api: APIClient) -> None:
    shift = ShiftFactory(
        community=town.community,
        cell=town.cells[0],
        starts_at=NOW + timedelta(hours=5),
        required_skills=["first-aid"],
    )
    fresh, _unskilled, worn = town.volunteers[:3]
    first_aid = Skill.objects.create(code="first-aid", name="First aid")
    for member in town.volunteers[:3]:
        evenings(member)
    for member in (fresh, worn):
        MemberSkill.objects.create(member=member, skill=first_aid)
    past = ShiftFactory(community=town.community, starts_at=NOW - timedelta(days=9))
    take(past.seats.first(), fresh, "checked_out")
    found = ranked(api, town, shift)
    assert [(one["member"]["id"], one["load"]) for one in found] == [(worn.pk, 0), (fresh.pk, 1)]
    assert "has_skills" in found[0]["reasons"]


def test_replacements_are_for_captains_and_cost_the_same(town: Town, api: APIClient) -> None:
    shift = ShiftFactory(community=town.community, cell=town.cells[0])
    counts = []
    for members in (town.volunteers[:1], town.volunteers[1:]):
        for member in members:
            evenings(member)
        with CaptureQueriesContext(connection) as queries:
            ranked(api, town, shift)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 9
    api.force_authenticate(town.volunteers[0])
    assert api.get(f"/api/v1/shifts/{shift.pk}/replacements").status_code == 403
    api.force_authenticate(MemberFactory(community=CommunityFactory()))
    assert api.get(f"/api/v1/shifts/{shift.pk}/replacements").status_code == 404


# --- Availability ----------------------------------------------------------------------------


def test_availability_is_said_and_read_back(town: Town, api: APIClient) -> None:
    member = town.volunteers[0]
    api.force_authenticate(member)
    said = {
        "windows": [
            {"weekday": 1, "from": "18:00", "until": "01:00"},
            {"weekday": 3, "from": "18:00", "until": "22:00"},
        ],
        "exceptions": [{"on": "2026-06-20", "available": False, "from": None, "until": None}],
        "limits": {"most_shifts_a_week": 3, "neighbouring_cells": False},
    }
    answer = api.put("/api/v1/me/availability", said, format="json")
    assert answer.status_code == 200
    kept = api.get("/api/v1/me/availability").json()
    assert kept == answer.json()
    assert (kept["windows"], kept["exceptions"]) == (said["windows"], said["exceptions"])
    assert kept["limits"]["most_shifts_a_week"] == 3
    assert kept["limits"]["experienced"] is False
    api.put("/api/v1/me/availability", {"windows": []}, format="json")
    kept = api.get("/api/v1/me/availability").json()
    assert (kept["windows"], len(kept["exceptions"])) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        [], {"windows": "x"}, {"windows": [{"weekday": 8, "from": "18:00", "until": "19:00"}]},
        {"windows": [{"weekday": 1, "from": "25:00", "until": "19:00"}]}, {"windows": None},
        {"windows": [{"weekday": 1, "from": "18:00", "until": "19:00"}] * 2},
        {"windows": [{"weekday": 1, "from": "18:00", "until": "19:00"}] * 51},
        {"exceptions": [{"on": "never"}]}, {"limits": {"most_shifts_a_week": -1}},
        {"exceptions": [{"on": "2026-06-20", "from": "10:00"}]}, {"limits": [1]},
    ],
)  # fmt: skip
def test_bad_availability_is_400(town: Town, api: APIClient, body: Any) -> None:
    api.force_authenticate(town.volunteers[0])
    answer = api.put("/api/v1/me/availability", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_nobody_makes_themselves_experienced(town: Town) -> None:
    member = town.volunteers[0]
    with unit_of_work(member, now=NOW):
        services.set_availability(
            actor=member,
            now=NOW,
            windows=[services.WindowInput(1, time(18), time(22))],
            limits={"experienced": True, "most_shifts_a_week": 1},
        )
    assert (member.limits.experienced, member.limits.most_shifts_a_week) == (False, 1)
