"""When somebody can come: weekly windows and exceptions, laid out over real dates. No Django."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from patrols.rosters.problem import Window

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Weekly:
    """A window on each `weekday` (1 is Monday); `until` at or before `since` is the next day."""

    weekday: int
    since: time
    until: time


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A date that differs: free or away, from `since` to `until`, or the whole day."""

    on: date
    available: bool
    since: time | None = None
    until: time | None = None


def expand(
    weekly: Iterable[Weekly],
    exceptions: Iterable[Exceptional],
    *,
    first: date,
    last: date,
    zone: str,
) -> tuple[Window, ...]:
    """Return the windows that begin on `first`…`last` (both in), merged, in UTC and in order.

    What an exception takes away is taken from every window, also from the end of one that began
    on the evening before.
    """
    by_day: dict[int, list[Weekly]] = {}
    for window in weekly:
        by_day.setdefault(window.weekday, []).append(window)
    free: list[tuple[datetime, datetime]] = []
    for offset in range((last - first).days + 1):
        on = first + timedelta(days=offset)
        free += [_span(on, one.since, one.until, zone) for one in by_day.get(on.isoweekday(), ())]
    away: list[tuple[datetime, datetime]] = []
    for one in exceptions:
        span = _span(one.on, one.since or time.min, one.until or time.min, zone)
        (free if one.available else away).append(span)
    return tuple(Window(start, end) for start, end in _without(_merged(free), _merged(away)))


def covers(windows: Iterable[Window], start: datetime, end: datetime) -> bool:
    """Say whether one of these merged windows holds the whole stretch."""
    return any(one.starts_at <= start and end <= one.ends_at for one in windows)


@lru_cache(maxsize=20_000)
def _span(on: date, since: time, until: time, zone: str) -> tuple[datetime, datetime]:
    """Return a day's window in UTC; of an hour that the clock repeats, both belong to it."""
    place = ZoneInfo(zone)
    end = on if until > since else on + _DAY
    return (
        datetime.combine(on, since, tzinfo=place).astimezone(UTC),
        datetime.combine(end, until.replace(fold=1), tzinfo=place).astimezone(UTC),
    )


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _without(
    spans: list[tuple[datetime, datetime]], holes: list[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    for hole_start, hole_end in holes:
        left: list[tuple[datetime, datetime]] = []
        for start, end in spans:
            if hole_end <= start or end <= hole_start:
                left.append((start, end))
                continue
            if start < hole_start:
                left.append((start, hole_start))
            if hole_end < end:
                left.append((hole_end, end))
        spans = left
    return spans
