"""The earning rules: pure arithmetic and look-up."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timebank.earning.rates import (
    Line,
    Step,
    Version,
    credits_for,
    explain,
    gaps,
    in_force,
    line_for,
    rate,
)

RONGCHENG = Line(per_hour=50)


@pytest.mark.parametrize(
    ("minutes", "hundredths"),
    [(120, 100), (90, 75), (60, 50), (1, 0), (2, 1), (59, 49), (0, 0), (1440, 1200)],
)
def test_two_hours_earn_one_credit_floored_to_the_hundredth(minutes: int, hundredths: int) -> None:
    assert rate(RONGCHENG, minutes).credits == hundredths


@settings(deadline=None)
@given(
    per_hour=st.integers(0, 10_000),
    flat=st.integers(0, 10_000),
    minutes=st.integers(1, 1440),
    most=st.none() | st.integers(0, 1440),
    before=st.integers(0, 1440),
)
def test_rating_is_an_exact_floor_and_never_beyond_the_cap(
    per_hour: int, flat: int, minutes: int, most: int | None, before: int
) -> None:
    line = Line(per_hour=per_hour, flat=flat, most_minutes_a_day=most)
    rating = rate(line, minutes, counted_before=before)
    assert 0 <= rating.counted <= minutes
    if most is not None:
        assert rating.counted + before <= max(most, before)
    by_time = rating.credits - flat
    assert by_time * 60 <= per_hour * rating.counted < (by_time + 1) * 60
    steps = explain(rating)
    assert steps[0] == Step("worked", {"minutes": minutes})
    assert steps[-1] == Step("earned", {"sum": rating.credits})
    parts = [s.values.get("flat", 0) + s.values.get("sum", 0) for s in steps[:-1]]
    assert sum(parts) == rating.credits


def test_the_most_exact_line_wins() -> None:
    blank, of_class = Line(per_hour=1), Line(holder_class="child", per_hour=2)
    of_category = Line(category="patrol", per_hour=3)
    exact = Line(category="patrol", holder_class="child", per_hour=4)
    table = [blank, of_class, of_category, exact]
    assert line_for(table, "patrol", "child") is exact
    assert line_for(table[:3], "patrol", "child") is of_category
    assert line_for(table[:2], "patrol", "child") is of_class
    assert line_for(table[:1], "patrol", "child") is blank
    assert line_for(table, "patrol", "resident") is of_category
    assert line_for(table, "kitchen", "resident") is blank
    assert line_for([exact], "kitchen", "child") is None


def test_a_gap_in_the_table_is_found() -> None:
    lines = [Line(category="patrol"), Line(holder_class="child")]
    assert gaps(lines, ["patrol", "kitchen"], ["resident", "child"]) == [("kitchen", "resident")]
    assert gaps([Line()], ["patrol", "kitchen"], ["resident", "child"]) == []


def test_the_cap_of_a_day_counts_what_came_before() -> None:
    line = Line(per_hour=60, flat=7, most_minutes_a_day=100)
    assert rate(line, 90).credits == 97
    assert rate(line, 90, counted_before=90).credits == 17
    assert rate(line, 90, counted_before=100).credits == 7
    assert rate(line, 90, counted_before=500).counted == 0
    assert credits_for(line, 0) == 7


def test_why_is_told_line_by_line() -> None:
    assert explain(rate(Line(per_hour=50, flat=10, most_minutes_a_day=60), 90)) == [
        Step("worked", {"minutes": 90}),
        Step("day_cap", {"counted": 60, "most": 60}),
        Step("by_time", {"minutes": 60, "per_hour": 50, "sum": 50}),
        Step("flat", {"flat": 10}),
        Step("earned", {"sum": 60}),
    ]
    assert explain(rate(None, 90)) == [Step("worked", {"minutes": 90}), Step("no_rule", {})]


def test_the_version_of_the_day_of_work_holds() -> None:
    old = Version(1, 1, date(2026, 1, 1), depth=2)
    new = Version(2, 2, date(2026, 6, 10), depth=2)
    district = Version(9, 1, date(2020, 1, 1), depth=1)
    every = [new, district, old]
    assert in_force(every, date(2026, 6, 9)) is old
    assert in_force(every, date(2026, 6, 10)) is new
    assert in_force(every, date(2025, 12, 31)) is district
    assert in_force(every, date(2019, 12, 31)) is None


def test_negative_minutes_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="never negative"):
        rate(RONGCHENG, -1)
