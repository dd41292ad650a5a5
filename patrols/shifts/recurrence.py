"""When an activity recurs: RFC 5545 rules by local date, instants by local wall time."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr
from django.utils.translation import gettext as _

_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = {
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY",
    "BYWEEKNO", "BYSETPOS", "WKST",
}  # fmt: skip
# A rule that gives no date in this time (30 February) is a mistake.
_HORIZON = timedelta(days=5 * 366)


class BadRule(ValueError):
    """The recurrence rule can't be used; the message says why."""


def dates(rule: str, *, starts_on: date, first: date, last: date) -> list[date]:
    """Return the dates from `first` to `last` (both in) on which the rule falls.

    `starts_on` is the rule's DTSTART. Raises BadRule.
    """
    parsed, count, until = _parse(rule, starts_on)
    end = datetime.combine(last, time.max)
    # The end is given to the rule itself: a rule that never falls would else run to year 9999.
    found = iter(parsed.replace(until=min(end, until) if until else end))
    return [at.date() for at in islice(found, count) if at.date() >= first]


def check_rule(rule: str, *, starts_on: date) -> None:
    """Raise BadRule, with the reason, unless the rule falls on some date within five years."""
    if not dates(rule, starts_on=starts_on, first=starts_on, last=starts_on + _HORIZON):
        raise BadRule(_("The rule falls on no date within five years of its start."))


def rule_of(weekdays: Iterable[str]) -> str:
    """Return the rule for these weekdays ("MO" … "SU"); all seven are every day."""
    wanted = set(weekdays)
    if wanted >= set(WEEKDAYS):
        return "FREQ=DAILY"
    return "FREQ=WEEKLY;BYDAY=" + ",".join(day for day in WEEKDAYS if day in wanted)


def weekdays_of(rule: str) -> list[str] | None:
    """Return the weekdays of a rule that says nothing else; None for any other rule."""
    plain = rule.strip().upper().removeprefix("RRULE:")
    if plain == "FREQ=DAILY":
        return list(WEEKDAYS)
    said = plain.removeprefix("FREQ=WEEKLY;BYDAY=").split(",")
    if plain.startswith("FREQ=WEEKLY;BYDAY=") and set(said) <= set(WEEKDAYS):
        return [day for day in WEEKDAYS if day in said]
    return None


def instants(
    on: date, starts_local: time, duration_minutes: int, zone: str
) -> tuple[datetime, datetime]:
    """Return start and end in UTC: starts by the wall clock, lasts `duration_minutes` really.

    A time that the clock skips counts by the offset before the change, one that it repeats is
    the first (RFC 5545 §3.3.5).
    """
    wall = datetime.combine(on, starts_local, tzinfo=ZoneInfo(zone))
    start = wall.astimezone(UTC)
    return start, start + timedelta(minutes=duration_minutes)


def _parse(rule: str, starts_on: date) -> tuple[rrule, int | None, datetime | None]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name not in _PARTS:
            raise BadRule(_("“%(part)s” is not a part of a rule by days.") % {"part": part[:60]})
        if name in parts:
            raise BadRule(_("“%(part)s” is there twice.") % {"part": name})
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise BadRule(_("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY."))
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not (
            parts[name].isascii() and parts[name].isdigit() and 1 <= int(parts[name]) <= 9999
        ):
            raise BadRule(_("%(name)s must be a number from 1 to 9999.") % {"name": name})
    if "COUNT" in parts and "UNTIL" in parts:
        raise BadRule(_("Give COUNT or UNTIL, not both."))
    count = int(parts.pop("COUNT")) if "COUNT" in parts else None
    until = None
    try:
        if "UNTIL" in parts:
            # A date is enough; an instant's time of day would cut off the last evening.
            until = datetime.strptime(parts.pop("UNTIL")[:8] + "235959", "%Y%m%d%H%M%S")  # noqa: DTZ007
        text = ";".join(f"{name}={value}" for name, value in parts.items())
        parsed = rrulestr(text, dtstart=datetime.combine(starts_on, time.min))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadRule(_("The rule can't be read: %(why)s") % {"why": str(error)[:120]}) from error
    if not isinstance(parsed, rrule):
        raise BadRule(_("Give one rule."))
    return parsed, count, until
