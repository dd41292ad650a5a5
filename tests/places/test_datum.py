"""Datums: every point of China goes there and back within a metre (in truth, a centimetre)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.places.datum import from_wgs84, point_to_wgs84

IN_CHINA = st.tuples(st.floats(73.6, 135.0), st.floats(3.9, 53.5))


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (a[0] - b[0]) * math.cos(math.radians(a[1]))
    return math.hypot(east, a[1] - b[1]) * 111_195


@given(point=IN_CHINA, datum=st.sampled_from(["gcj02", "bd09"]))
def test_there_and_back_is_the_same_place(point: tuple[float, float], datum: str) -> None:
    there = from_wgs84(*point, datum)
    assert 50 < metres(point, there) < 3000
    assert metres(point, point_to_wgs84(*there, datum)) < 0.01


@given(point=IN_CHINA, datum=st.sampled_from(["gcj02", "bd09"]))
def test_back_and_there_is_the_same_place(point: tuple[float, float], datum: str) -> None:
    assert metres(point, from_wgs84(*point_to_wgs84(*point, datum), datum)) < 0.01


@pytest.mark.parametrize(
    ("datum", "expected"),
    [
        # The gate of Tian'anmen as published for the three datums.
        ("gcj02", (116.39745, 39.90916)),
        ("bd09", (116.40383, 39.91549)),
    ],
)
def test_a_known_place(datum: str, expected: tuple[float, float]) -> None:
    assert metres(from_wgs84(116.39121, 39.90775, datum), expected) < 10


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
@pytest.mark.parametrize("point", [(9.5, 47.1), (0.0, 0.0), (-122.4, 37.8)])
def test_outside_china_the_datums_agree(datum: str, point: tuple[float, float]) -> None:
    assert from_wgs84(*point, datum) == point_to_wgs84(*point, datum) == point
