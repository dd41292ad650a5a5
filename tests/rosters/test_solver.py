"""The solver: each hard rule binds, soft goals are weighed, bounds are true, plans repeat."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.city import rongcheng_week
from patrols.rosters import solver
from patrols.rosters.checker import check, check_files, score
from patrols.rosters.problem import Problem, SeatSpec, ShiftSpec, Weights
from patrols.rosters.solution import Progress, Solution
from tests.rosters.builders import at, member, problem, random_problem, shift


def solved(spec: Problem, *, seconds: float = 20) -> Solution:
    """Solve, and hold the answer against the independent checker."""
    answer = solver.solve(spec, seconds=seconds, seed=1)
    assert check(spec, answer.seats) == []
    assert score(spec, answer.seats) == answer.terms
    assert check_files(spec.to_json(), answer.to_json()) == []
    return answer


def two_nights(*, gap_hours: float = 24) -> list[SeatSpec]:
    """Two shifts of 90 minutes, the second starting `gap_hours` after the first."""
    return shift(1, when=at(hour=10)) + shift(2, when=at(hour=10 + gap_hours))


BINDING: list[tuple[str, list[SeatSpec], dict[str, Any], dict[str, Any], str]] = [
    # rule, seats, who may not, who may, reason while they may not
    ("availability", two_nights(), {"available": (at(hour=10),)}, {}, "nobody_available"),
    (
        "skill",
        shift(1, when=at(), skills=frozenset({"driver"})),
        {},
        {"skills": frozenset({"driver"})},
        "nobody_has_skill",
    ),
    (
        "cell",
        shift(1, when=at(), cell_id=7),
        {"home_cell": 8},
        {"other_cells": frozenset({7})},
        "nobody_available",
    ),
    ("one seat", shift(1, when=at(), places=2), {}, {}, "nobody_available"),
    ("overlap", two_nights(gap_hours=1), {}, {}, "all_would_overlap_or_lack_rest"),
    (
        "rest",
        two_nights(gap_hours=10),
        {"least_rest_minutes": 11 * 60},
        {"least_rest_minutes": 8 * 60},
        "all_would_overlap_or_lack_rest",
    ),
    (
        "busy",
        shift(1, when=at(hour=12)),
        {"busy": (at(hour=11),)},
        {"busy": (at(hour=10),)},
        "all_would_overlap_or_lack_rest",
    ),
    ("most shifts", two_nights(), {"most_shifts": 1}, {"most_shifts": 2}, "all_at_limit"),
    ("most minutes", two_nights(), {"most_minutes": 179}, {"most_minutes": 180}, "all_at_limit"),
    (
        "days in a row",
        two_nights(),
        {"most_days_in_row": 1},
        {"most_days_in_row": 2},
        "all_at_limit",
    ),
    (
        "days in a row with a shift already held",
        shift(1, when=at(night=2)),
        {"most_days_in_row": 2, "busy": (at(night=0), at(night=1))},
        {"most_days_in_row": 2, "busy": (at(night=0),)},
        "all_at_limit",
    ),
]


@pytest.mark.parametrize(("rule", "seats", "bound", "free", "code"), BINDING)
def test_a_rule_that_binds_leaves_a_seat_open_with_its_reason(
    rule: str, seats: list[SeatSpec], bound: dict[str, Any], free: dict[str, Any], code: str
) -> None:
    tight = solved(problem(seats, [member(1, **bound)]))
    assert [one.reason.code for one in tight.open] == [code]
    assert tight.open[0].reason.describe()
    assert tight.gap == 0
    if free:
        assert solved(problem(seats, [member(1, **free)])).open == ()


def test_people_kept_apart_are_not_in_one_team() -> None:
    seats = shift(1, when=at(), places=2)
    apart = solved(problem(seats, [member(1, apart=frozenset({2})), member(2)]))
    assert [one.reason.code for one in apart.open] == ["all_kept_apart"]
    assert solved(problem(seats, [member(1), member(2)])).open == ()


def test_locked_seats_are_kept_and_count_against_limits() -> None:
    seats = shift(1, when=at(), locked=1, cell_id=4) + shift(2, when=at(night=1))
    answer = solved(problem(seats, [member(1, most_shifts=1), member(2, past_load=50)]))
    assert answer.seats == {10: 1, 20: 2}
    assert answer.why[10].locked
    only = solved(problem(seats, [member(1, most_shifts=1)]))
    assert [(one.seat, one.reason.code) for one in only.open] == [(20, "all_at_limit")]
    assert only.open[0].reason.data["limit"] == 1


def test_a_locked_mate_keeps_the_other_away() -> None:
    seats = [*shift(1, when=at(), locked=1), *shift(1, when=at(), first_seat=11)]
    answer = solved(problem(seats, [member(1), member(2, apart=frozenset({1}))]))
    assert [one.reason.code for one in answer.open] == ["all_kept_apart"]


def test_soft_goals() -> None:
    """Experience beats wishes, wishes beat load, load beats the way, and friends meet."""
    team = shift(1, when=at(), places=1, cell_id=1)
    wants = [ShiftSpec(1, wants_experienced=True)]
    home = {"home_cell": 1}
    far = {"other_cells": frozenset({1})}

    def chosen(*people: dict[str, Any], shifts: list[ShiftSpec] | None = None) -> int:
        members = [member(at_, **one) for at_, one in enumerate(people)]
        return solved(problem(team, members, shifts=shifts)).seats[10]

    assert chosen({**home, "wishes": {1: 3}}, {**home, "experienced": True}, shifts=wants) == 1
    assert chosen(home, {**home, "wishes": {1: 1}, "past_load": 20}) == 1
    assert chosen({**home, "wishes": {1: -1}}, {**home, "past_load": 20}) == 1
    assert chosen({**home, "past_load": 1}, far) == 1
    assert chosen(far, home) == 1


def test_load_is_shared_and_least_minutes_are_given() -> None:
    seats = [one for night in range(4) for one in shift(night, when=at(night=night))]
    shared = solved(problem(seats, [member(1), member(2)]))
    assert sorted(shared.seats.values()) == [1, 1, 2, 2]
    given = solved(problem(seats, [member(1), member(2, least_minutes=270)]))
    assert sorted(given.seats.values()) == [1, 2, 2, 2]
    assert given.terms["least_minutes"] == 0


def test_friends_meet() -> None:
    seats = shift(1, when=at(), places=2) + shift(2, when=at(), places=2)
    people = [member(1, together=frozenset({4})), member(2), member(3), member(4)]
    answer = solved(problem(seats, people))
    assert answer.terms["together"] == -Weights().together
    assert (answer.seats[10] in {1, 4}) == (answer.seats[11] in {1, 4})


def test_the_least_of_every_team_comes_before_full_teams() -> None:
    seats = shift(1, when=at(), places=2) + shift(2, when=at(), places=2)
    shifts = [ShiftSpec(1, least=1), ShiftSpec(2, least=1)]
    answer = solved(problem(seats, [member(1), member(2)], shifts=shifts))
    assert {seat // 10 for seat in answer.seats} == {1, 2}


def brute_force(spec: Problem) -> int:
    """Return the best objective over all valid plans, by trying them all."""
    locked = {seat.id: seat.locked for seat in spec.seats if seat.locked is not None}
    free = [seat.id for seat in spec.seats if seat.locked is None]
    people = [None, *(one.id for one in spec.members)]
    best = None
    for choice in itertools.product(people, repeat=len(free)):
        plan = locked | {
            seat: who for seat, who in zip(free, choice, strict=True) if who is not None
        }
        if not check(spec, plan):
            total = sum(score(spec, plan).values())
            best = total if best is None else min(best, total)
    assert best is not None
    return best


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_tiny_rosters_reach_the_optimum_of_brute_force(seed: int) -> None:
    spec = random_problem(seed, shifts=3, people=4)
    answer = solved(spec)
    assert answer.bound <= answer.objective
    assert answer.objective == brute_force(spec)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_small_rosters_are_valid_and_proven(seed: int) -> None:
    spec = random_problem(seed, shifts=14, people=12)
    answer = solved(spec)
    assert answer.gap == 0
    assert not answer.cut_off
    assert Problem.from_json(spec.to_json()) == spec


def test_neighbourhood_search_alone_stays_valid_and_above_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the integer programme the flow's bound still holds, and rounds improve the plan."""
    monkeypatch.setattr(solver, "_integer_programme", lambda run: "")
    monkeypatch.setattr(solver, "ROUNDS", 6)
    monkeypatch.setattr(solver, "EFFORT", 0.05)
    spec = random_problem(3, shifts=14, people=12)
    answer = solved(spec)
    assert answer.method == "flows+lns"
    again = solver.solve(spec, seconds=20, seed=1)
    assert again.seats == answer.seats
    monkeypatch.undo()
    exact = solved(spec)
    assert answer.bound <= exact.objective <= answer.objective


@pytest.mark.parametrize("seed", [5, 8])
def test_both_engines_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = random_problem(seed, shifts=14, people=12)
    small = solved(spec)
    monkeypatch.setattr(solver, "SMALL", 0)
    heard: list[Progress] = []
    whole = solver.solve(spec, seconds=20, seed=1, on_progress=heard.append)
    assert check(spec, whole.seats) == []
    assert whole.objective == small.objective
    assert (whole.method, whole.gap) == ("flows+mip", 0)
    assert heard[-1].phase == "mip"


def test_a_town_is_proven_by_the_flow_alone_and_the_plan_repeats() -> None:
    spec = rongcheng_week(seed=3, cells=20, volunteers=500)
    answer = solved(spec)
    assert (answer.method, answer.gap, answer.cut_off) == ("flow", 0, False)
    assert solver.solve(spec, seconds=20, seed=1).seats == answer.seats


def test_a_town_without_two_nights_in_a_row_is_near_its_bound() -> None:
    spec = rongcheng_week(seed=3, cells=20, volunteers=500, days_in_row=1)
    answer = solver.solve(spec, seconds=60, seed=1, gap=0.01)
    assert check(spec, answer.seats) == []
    assert answer.gap <= 0.01
    assert answer.open == ()


def test_no_time_and_a_cancel_are_flagged_and_still_valid() -> None:
    spec = rongcheng_week(seed=3, cells=8, volunteers=150, days_in_row=1)
    heard: list[Progress] = []
    late = solver.solve(spec, seconds=0, seed=1, on_progress=heard.append)
    assert late.cut_off
    assert check(spec, late.seats) == []
    assert heard[0].phase == "flow"
    cancelled = solver.solve(spec, seconds=60, seed=1, cancelled=lambda: True)
    assert cancelled.cut_off
    assert cancelled.bound <= cancelled.objective
