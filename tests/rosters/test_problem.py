"""The description refuses contradictions and survives JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from patrols.rosters.problem import MemberSpec, Problem, ProblemError, Weights, Window
from tests.rosters.builders import at, member, problem, random_problem, shift


@pytest.mark.parametrize("seed", range(5))
def test_json_round_trip_is_stable(seed: int) -> None:
    spec = random_problem(seed, shifts=6, people=5)
    text = json.dumps(spec.to_json())
    again = Problem.from_json(json.loads(text))
    assert again == spec
    assert json.dumps(again.to_json()) == text


def test_another_schema_is_refused() -> None:
    with pytest.raises(ProblemError, match="schema"):
        Problem.from_json({"schema": "something/2"})


def _contradictions() -> list[tuple[str, Any]]:
    one = shift(1, when=at())
    people = [member(1)]
    naive = datetime(2026, 3, 2, 12)
    return [
        ("seat 10 is there twice", lambda: problem(one + one, people)),
        ("member 1 is there twice", lambda: problem(one, people * 2)),
        ("no shift 5", lambda: replace(problem(one, people), seats=tuple(shift(5, when=at())))),
        (
            "two times or cells",
            lambda: problem(one + shift(1, when=at(night=1), first_seat=11), people),
        ),
        ("unknown member 9", lambda: problem(shift(1, when=at(), locked=9), people)),
        ("locked twice", lambda: problem(shift(1, when=at(), places=2, locked=1), people)),
        ("weight below 0", lambda: problem(shift(1, when=at(), weight=-1), people)),
        ("ends before it starts", lambda: problem(shift(1, when=at(minutes=0)), people)),
        ("time zone", lambda: problem(one, [member(1, busy=(Window(naive, naive),))])),
        ("days in a row", lambda: problem(one, [member(1, most_days_in_row=0)])),
        ("load or rest", lambda: problem(one, [MemberSpec(id=1, past_load=-1)])),
        ("weights", lambda: problem(one, people, weights=Weights(way=-1))),
    ]


@pytest.mark.parametrize(("words", "make"), _contradictions())
def test_contradictions_are_refused_by_name(words: str, make: Any) -> None:
    with pytest.raises(ProblemError, match=words):
        make()
