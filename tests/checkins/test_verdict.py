"""The truth table of verdicts, and the geometry under it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from patrols.checkins.place import metres_from_meeting, metres_outside
from patrols.checkins.verdict import (
    OUT_AT_LATEST,
    Evidence,
    Judgement,
    Position,
    Window,
    judge,
    judge_code_again,
    minutes_worked,
    same_code,
)

START = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
END = START + timedelta(minutes=90)
WINDOW = Window(START, END, early_minutes=30, late_minutes=15)
HERE = Position(distance_m=0, accuracy_m=10)


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after the start."""
    return START + timedelta(minutes=minutes)


def judged(kind: str = "in", when: float = 0, **changed: Any) -> Judgement:
    """Judge evidence that is perfect but for what is `changed`."""
    facts: dict[str, Any] = {
        "kind": kind,
        "occurred_at": at(when),
        "received_at": at(when),
        "position": HERE,
        "other_at": START if kind == "out" else None,
        **changed,
    }
    return judge(WINDOW, Evidence(**facts))


@pytest.mark.parametrize(
    ("kind", "when", "refusal", "reasons"),
    [
        ("in", -31, "too_early", ()),
        ("in", -30, None, ()),
        ("in", 0, None, ()),
        ("in", 15, None, ()),
        ("in", 16, None, ("late_arrival",)),
        ("in", 90, None, ("late_arrival",)),
        ("in", 90.1, "too_late", ()),
        ("out", -0.1, "too_early", ()),
        ("out", 0, None, ()),
        ("out", 45, None, ()),
        ("out", 150, None, ()),
        ("out", 151, None, ("late_checkout",)),
        ("out", 90 + 720, None, ("late_checkout",)),
        ("out", 90 + 721, "too_late", ()),
    ],
)
def test_times(kind: str, when: float, refusal: str | None, reasons: tuple[str, ...]) -> None:
    found = judged(kind, when)
    assert (found.refusal, found.reasons) == (refusal, reasons)
    if refusal is None:
        assert found.verdict == ("review" if reasons else "accepted")


@pytest.mark.parametrize(
    ("ahead_s", "reasons"), [(0, ()), (120, ()), (121, ("clock_skew",)), (3600, ("clock_skew",))]
)
def test_a_clock_ahead_is_reviewed_and_judged_by_its_own_time(
    ahead_s: int, reasons: tuple[str, ...]
) -> None:
    found = judged(received_at=START - timedelta(seconds=ahead_s))
    assert (found.refusal, found.reasons) == (None, reasons)


@pytest.mark.parametrize(("hours", "reasons"), [(72, ()), (72.1, ("late_upload",))])
def test_what_was_kept_offline_is_never_lost(hours: float, reasons: tuple[str, ...]) -> None:
    found = judged(received_at=START + timedelta(hours=hours))
    assert (found.refusal, found.reasons) == (None, reasons)


PLACES = [
    # position, code right → method, reasons
    (None, None, "none", ("no_evidence",)),
    (None, True, "code", ()),
    (None, False, "none", ("wrong_code",)),
    (HERE, None, "position", ()),
    (HERE, True, "code", ()),
    (HERE, False, "position", ("wrong_code",)),
    (Position(0, None), None, "position", ()),
    (Position(1, None), None, "position", ("outside_cell",)),
    (Position(50, 50), None, "position", ()),
    (Position(51, 50), None, "position", ("outside_cell",)),
    (Position(100, 150), None, "position", ()),
    (Position(101, 150), None, "position", ("outside_cell",)),
    (Position(0, 151), None, "position", ("weak_position",)),
    (Position(151, 151), None, "position", ("weak_position",)),
    (Position(152, 151), None, "position", ("weak_position", "outside_cell")),
    (Position(0, 151), True, "code", ()),
    (Position(500, 10), True, "code", ("outside_cell",)),
    (Position(500, 10), False, "position", ("wrong_code", "outside_cell")),
    (Position(None, 10), None, "position", ("no_place",)),
    (Position(None, 10), True, "code", ()),
]


@pytest.mark.parametrize(("position", "right", "method", "reasons"), PLACES)
@pytest.mark.parametrize("kind", ["in", "out"])
def test_presence(
    kind: str, position: Position | None, right: bool | None, method: str, reasons: Any
) -> None:
    found = judged(kind, position=position, code_right=right)
    assert (found.refusal, found.method, found.reasons) == (None, method, reasons)


def test_out_needs_an_in_before_it() -> None:
    assert judged("out", 30, other_at=None).reasons == ("out_before_in",)
    assert judged("out", 30, other_at=at(31)).reasons == ("out_before_in",)
    assert judged("out", 30, other_at=at(30)).reasons == ()
    assert judged("in", 0, other_at=at(80)).reasons == ("out_before_in",)


def test_reasons_add_up() -> None:
    found = judged("in", 20, received_at=at(10), position=None, code_right=False)
    assert found.reasons == ("late_arrival", "clock_skew", "wrong_code")


@settings(deadline=None)
@given(
    kind=st.sampled_from(["in", "out"]),
    when=st.integers(-10_000, 10_000),
    delay=st.integers(-10_000, 10_000),
    position=st.none()
    | st.builds(
        Position,
        distance_m=st.none() | st.floats(0, 1e7),
        accuracy_m=st.none() | st.floats(0, 1e7),
    ),
    right=st.sampled_from([None, True, False]),
    other=st.none() | st.integers(-100, 1000),
)
def test_accepted_means_in_time_with_proof(
    kind: str,
    when: int,
    delay: int,
    position: Position | None,
    right: bool | None,
    other: int | None,
) -> None:
    found = judged(
        kind, when, received_at=at(when + delay), position=position, code_right=right,
        other_at=None if other is None else at(other),
    )  # fmt: skip
    inside = position is not None and position.distance_m == 0 and (position.accuracy_m or 0) <= 150
    if found.refusal is not None:
        assert found.reasons == ()
        assert when < 0 or when > 90
        assert not (-30 <= when <= 90 and kind == "in")
        assert not (0 <= when <= 90 + OUT_AT_LATEST.total_seconds() / 60 and kind == "out")
    elif found.verdict == "accepted":
        assert right is not False
        near = position is not None and (position.distance_m or 0) <= 100
        assert right or near
        assert (-30 if kind == "in" else 0) <= when <= (15 if kind == "in" else 150)
        assert -2 <= delay <= 72 * 60
        assert (other is None) == (kind == "in")
    else:
        assert len(set(found.reasons)) == len(found.reasons) > 0
        if inside and right is None and -2 <= delay <= 72 * 60:
            assert set(found.reasons) <= {"late_arrival", "late_checkout", "out_before_in"}


@pytest.mark.parametrize(
    ("in_at", "out_at", "minutes"),
    [
        (0, 90, 90),
        (-20, 90, 90),
        (-20, 200, 90),
        (10, 70, 60),
        (10.5, 70, 60),
        (10.51, 70, 59),
        (None, 45, 45),
        (None, 300, 90),
        (50, 40, 0),
        (0, 0.49, 0),
        (0, 0.5, 1),
    ],
)
def test_minutes_are_the_overlap_to_the_nearest(
    in_at: float | None, out_at: float, minutes: int
) -> None:
    came = None if in_at is None else at(in_at)
    assert minutes_worked(WINDOW, came, at(out_at)) == minutes


@settings(deadline=None)
@given(st.integers(-3600, 9000), st.integers(-3600, 9000))
def test_minutes_never_exceed_the_shift(came: int, left: int) -> None:
    worked = minutes_worked(
        WINDOW, START + timedelta(seconds=came), START + timedelta(seconds=left)
    )
    assert 0 <= worked <= 90
    overlap = (min(left, 5400) - max(came, 0)) / 60
    assert abs(worked - max(0, overlap)) <= 0.5


@pytest.mark.parametrize(
    ("given_code", "shown", "right"),
    [
        ("AB12CD", "AB12CD", True),
        (" ab12 cd ", "AB12CD", True),
        ("AB12CE", "AB12CD", False),
        ("", "AB12CD", False),
        ("", "", False),
        ("邻里", "AB12CD", False),
    ],
)
def test_codes(given_code: str, shown: str, right: bool) -> None:
    assert same_code(given_code, shown) is right


CELL = box(122.41, 37.15, 122.42, 37.16)


def test_metres_outside() -> None:
    assert metres_outside(CELL, lat=37.155, lon=122.415) == 0
    assert metres_outside(CELL, lat=37.16, lon=122.42) == 0
    assert metres_outside(CELL, lat=37.161, lon=122.415) == pytest.approx(111.2, abs=0.5)
    assert metres_outside(CELL, lat=37.155, lon=122.421) == pytest.approx(88.6, abs=0.5)
    assert metres_outside(CELL, lat=31.2, lon=121.5) == pytest.approx(667_000, rel=0.02)
    ring = Point(122.415, 37.155).buffer(0.005).difference(Point(122.415, 37.155).buffer(0.002))
    assert metres_outside(ring, lat=37.155, lon=122.415) > 100


@settings(deadline=None)
@given(st.floats(37.10, 37.20), st.floats(122.36, 122.46))
def test_distance_agrees_with_the_sphere(lat: float, lon: float) -> None:
    from geopy.distance import great_circle

    nearest = (min(max(lat, 37.15), 37.16), min(max(lon, 122.41), 122.42))
    exact = great_circle((lat, lon), nearest).m
    assert metres_outside(CELL, lat=lat, lon=lon) == pytest.approx(exact, rel=0.005, abs=0.5)


def test_a_meeting_point_reaches_a_hundred_metres() -> None:
    def metres(lat: float) -> float:
        return metres_from_meeting(lat=lat, lon=122.42, meeting_lat=37.16, meeting_lon=122.42)

    assert metres(37.16) == 0
    assert metres(37.1608) == 0
    assert metres(37.162) == pytest.approx(122, abs=1)


def test_what_was_refused_has_no_verdict() -> None:
    refused = judged("in", -31)
    with pytest.raises(ValueError, match="too_early"):
        _ = refused.verdict


def test_a_code_judged_again_replaces_the_reasons_of_presence_alone() -> None:
    stored = ["late_arrival", "late_upload", "wrong_code", "weak_position"]
    weak = Position(distance_m=0, accuracy_m=200)
    right = judge_code_again(stored, position=weak, code_right=True)
    assert (right.method, right.reasons) == ("code", ("late_arrival", "late_upload"))
    wrong = judge_code_again(stored, position=None, code_right=False)
    assert (wrong.method, wrong.reasons) == ("none", ("late_arrival", "late_upload", "wrong_code"))
