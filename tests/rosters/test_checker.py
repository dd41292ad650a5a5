"""The checker names every broken rule, and prices a plan as docs/roster-format.md says."""

from __future__ import annotations

from typing import Any

import pytest

from patrols.rosters import solver
from patrols.rosters.checker import check, check_files, score
from patrols.rosters.problem import SeatSpec, ShiftSpec, Weights
from tests.rosters.builders import at, member, problem, shift

TWO = shift(1, when=at(hour=10)) + shift(2, when=at(hour=34))
SAME_TIME = shift(1, when=at(hour=10)) + shift(2, when=at(hour=11))


@pytest.mark.parametrize(
    ("rule", "seats", "person"),
    [
        ("availability", TWO, {"available": (at(hour=10),)}),
        ("skill", shift(1, when=at(), skills=frozenset({"driver"})), {}),
        ("cell", shift(1, when=at(), cell_id=3), {"home_cell": 4}),
        ("one_seat_per_shift", shift(1, when=at(), places=2), {}),
        ("overlap", SAME_TIME, {}),
        ("rest", TWO, {"least_rest_minutes": 24 * 60}),
        ("rest", TWO, {"busy": (at(hour=8),), "least_rest_minutes": 60}),
        ("overlap", TWO, {"busy": (at(hour=9),)}),
        ("most_shifts", TWO, {"most_shifts": 1}),
        ("most_minutes", TWO, {"most_minutes": 170}),
        ("days_in_row", TWO, {"most_days_in_row": 1}),
    ],
)
def test_each_broken_rule_is_named(
    rule: str, seats: list[SeatSpec], person: dict[str, Any]
) -> None:
    spec = problem(seats, [member(1, **person)])
    assert {one.rule for one in check(spec, {seat.id: 1 for seat in seats})} == {rule}
    assert check(spec, {}) == []


def test_teams_locks_and_strangers() -> None:
    seats = shift(1, when=at(), places=2) + shift(2, when=at(night=2), locked=1)
    spec = problem(seats, [member(1), member(2, apart=frozenset({1}))])
    assert [one.rule for one in check(spec, {10: 1, 11: 2, 20: 1})] == ["apart"]
    assert [one.rule for one in check(spec, {20: 2})] == ["locked"]
    assert [one.rule for one in check(spec, {20: 1, 99: 1})] == ["unknown"]


def test_locked_seats_break_no_rule_by_themselves() -> None:
    seats = shift(1, when=at(), locked=1) + shift(2, when=at(), locked=1)
    spec = problem([*seats, *shift(3, when=at(night=1))], [member(1, most_shifts=1, available=())])
    assert check(spec, {10: 1, 20: 1}) == []
    found = {one.rule for one in check(spec, {10: 1, 20: 1, 30: 1})}
    assert found == {"availability", "most_shifts"}


def test_the_objective_by_term() -> None:
    seats = shift(1, when=at(), places=3, cell_id=1, weight=2)
    people = [
        member(1, home_cell=1, wishes={1: 3}, past_load=2, together=frozenset({2})),
        member(2, other_cells=frozenset({1}), least_minutes=100, past_load=0.5),
    ]
    weights = Weights(1000, 500, 70, 10, 20, 1, 3, 2)
    shifts = [ShiftSpec(1, least=5, wants_experienced=True)]
    spec = problem(seats, people, shifts=shifts, weights=weights)
    assert score(spec, {10: 1, 11: 2}) == {
        "open": 2000,
        "below_least": 500,
        "inexperienced": 70,
        "wishes": -30,
        "together": -20,
        "least_minutes": 10,
        "load": 15 + 6,
        "way": 2,
    }


def test_files_that_lie_are_found_out() -> None:
    spec = problem(TWO, [member(1, most_shifts=1)])
    plain = solver.solve(spec, seconds=5, seed=1).to_json()
    assert check_files(spec.to_json(), plain) == []
    for change, rule in (
        ({"objective": 0}, "objective"),
        ({"bound": 10**9}, "bound"),
        ({"open": []}, "open"),
        ({"seats": {"10": 1, "20": 1}}, "most_shifts"),
    ):
        found = check_files(spec.to_json(), {**plain, **change})
        assert rule in {one.rule for one in found}
