"""Weekly windows over real dates: past midnight, exceptions, nights on which clocks change."""

from datetime import UTC, date, datetime, time

from patrols.rosters.windows import Exceptional, Weekly, covers, expand

MONDAY = date(2026, 6, 1)
TUESDAY = date(2026, 6, 2)


def spans(weekly: list[Weekly], exceptions: list[Exceptional], **period: object) -> list[str]:
    period = {"first": MONDAY, "last": date(2026, 6, 7), "zone": "Asia/Shanghai", **period}
    return [
        f"{one.starts_at:%d %H:%M}-{one.ends_at:%d %H:%M}"
        for one in expand(weekly, exceptions, **period)  # type: ignore[arg-type]
    ]


def test_a_window_past_midnight_ends_on_the_next_day() -> None:
    assert spans([Weekly(1, time(22), time(2))], []) == ["01 14:00-01 18:00"]


def test_equal_times_are_a_whole_day_and_touching_windows_join() -> None:
    assert spans([Weekly(1, time(0), time(0)), Weekly(2, time(0), time(8))], []) == [
        "31 16:00-02 00:00"
    ]


def test_being_away_also_cuts_the_night_before() -> None:
    night = [Weekly(1, time(22), time(2)), Weekly(2, time(22), time(2))]
    assert spans(night, [Exceptional(TUESDAY, available=False)]) == [
        "01 14:00-01 16:00", "02 16:00-02 18:00",
    ]  # fmt: skip
    part = [Exceptional(TUESDAY, available=False, since=time(1), until=time(23))]
    assert spans(night, part) == ["01 14:00-01 17:00", "02 15:00-02 18:00"]


def test_being_free_adds_to_the_week() -> None:
    free = [Exceptional(TUESDAY, available=True, since=time(8), until=time(9))]
    assert spans([], free) == ["02 00:00-02 01:00"]


def test_windows_follow_the_wall_clock_where_it_changes() -> None:
    autumn = {"first": date(2026, 10, 24), "last": date(2026, 10, 25), "zone": "Europe/Vaduz"}
    daily = [Weekly(day, time(1), time(3)) for day in range(1, 8)]
    # The night to 25 October has the hour from 2 to 3 twice.
    assert spans(daily, [], **autumn) == ["23 23:00-24 01:00", "24 23:00-25 02:00"]
    spring = {"first": date(2026, 3, 29), "last": date(2026, 3, 29), "zone": "Europe/Vaduz"}
    assert spans([Weekly(7, time(1), time(4))], [], **spring) == ["29 00:00-29 02:00"]


def test_covering() -> None:
    windows = expand(
        [Weekly(1, time(22), time(2))], [], first=MONDAY, last=MONDAY, zone="Asia/Shanghai"
    )
    at = lambda hour, minute=0: datetime(2026, 6, 1, hour, minute, tzinfo=UTC)  # noqa: E731
    assert covers(windows, at(14), at(18))
    assert not covers(windows, at(13, 59), at(15))
    assert not covers(windows, at(17), at(18, 1))
