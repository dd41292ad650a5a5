"""What worked minutes earn: pure rules, no Django.

A table is a set of lines by category and holder class, either of them blank for "all". The most
exact line wins: (category, class), then category, then class, then blank. Rongcheng's table is one
blank line of 50 hundredths an hour: 2 hours earn 1 credit, 90 minutes earn 0.75.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Line:
    """Hundredths `per_hour` and `flat`; at most `most_minutes_a_day` minutes count, if given."""

    category: str = ""
    holder_class: str = ""
    per_hour: int = 0
    flat: int = 0
    most_minutes_a_day: int | None = None


@dataclass(frozen=True)
class Rating:
    """What one log earns: `credits` in hundredths, from the `counted` of its `minutes`.

    `line` is None where no rule covers the day: then nothing is earned, and the minutes stay as
    honour hours.
    """

    minutes: int
    counted: int
    credits: int
    line: Line | None


@dataclass(frozen=True)
class Step:
    """One line of an explanation: a code, and the numbers that its sentence needs."""

    code: str
    values: dict[str, int]


@dataclass(frozen=True)
class Version:
    """A table that holds from `starts_on` until the next version of its community starts."""

    pk: int
    number: int
    starts_on: date
    depth: int = 0


def in_force(versions: Iterable[Version], day: date) -> Version | None:
    """Return the version of the day of work: the nearest community's, and of these the latest.

    `depth` counts from the root of the community tree, so that a community's own table wins over
    its district's from the day it starts, and the district's holds before.
    """
    started = [version for version in versions if version.starts_on <= day]
    return max(started, key=lambda v: (v.depth, v.starts_on, v.number), default=None)


def line_for(lines: Iterable[Line], category: str, holder_class: str) -> Line | None:
    """Return the most exact line for this category and class, or None."""
    table = {(line.category, line.holder_class): line for line in lines}
    for place in ((category, holder_class), (category, ""), ("", holder_class), ("", "")):
        if place in table:
            return table[place]
    return None


def gaps(
    lines: Iterable[Line], categories: Sequence[str], classes: Sequence[str]
) -> list[tuple[str, str]]:
    """Return each (category, class) that no line covers; a table must leave none.

    What should earn nothing gets a line of 0, so that nobody finds out by accident.
    """
    table = list(lines)
    return [(c, h) for c in categories for h in classes if line_for(table, c, h) is None]


def credits_for(line: Line, minutes: int) -> int:
    """Return hundredths: per_hour × minutes ÷ 60, floored to the hundredth, plus the flat part.

    The flat part is paid once per log that has any minutes; the cap of a day does not touch it.
    """
    return line.per_hour * minutes // 60 + line.flat


def rate(line: Line | None, minutes: int, *, counted_before: int = 0) -> Rating:
    """Rate one log; `counted_before` are the minutes this line has counted that day already."""
    if minutes < 0 or counted_before < 0:
        raise ValueError("minutes are never negative")
    if line is None or minutes == 0:
        return Rating(minutes=minutes, counted=0, credits=0, line=line)
    counted = minutes
    if line.most_minutes_a_day is not None:
        counted = min(minutes, max(0, line.most_minutes_a_day - counted_before))
    return Rating(minutes=minutes, counted=counted, credits=credits_for(line, counted), line=line)


def explain(rating: Rating) -> list[Step]:
    """Say line by line why a log earned what it earned; the last step is the sum."""
    steps = [Step("worked", {"minutes": rating.minutes})]
    line = rating.line
    if line is None:
        return [*steps, Step("no_rule", {})]
    if rating.counted < rating.minutes:
        most = line.most_minutes_a_day or 0
        steps.append(Step("day_cap", {"counted": rating.counted, "most": most}))
    if line.per_hour:
        by_time = line.per_hour * rating.counted // 60
        steps.append(
            Step("by_time", {"minutes": rating.counted, "per_hour": line.per_hour, "sum": by_time})
        )
    if line.flat and rating.minutes:
        steps.append(Step("flat", {"flat": line.flat}))
    return [*steps, Step("earned", {"sum": rating.credits})]
