"""Availability, and a week of patrols to plan."""

from datetime import date, datetime, time, timedelta
from typing import Any

import factory

from grids.people.models import Member
from patrols.rosters.models import Availability, Limits, RosterRun
from patrols.shifts.models import Shift
from tests.factories import NOW, MemberFactory, ShiftFactory, Town

MONDAY = date(2026, 6, 1)


class LimitsFactory(factory.django.DjangoModelFactory[Limits]):
    class Meta:
        model = Limits

    member = factory.SubFactory(MemberFactory)
    most_shifts_a_week = 2


class AvailabilityFactory(factory.django.DjangoModelFactory[Availability]):
    class Meta:
        model = Availability

    member = factory.SubFactory(MemberFactory)
    weekday = 1
    from_time = time(18)
    until_time = time(23)


class RosterRunFactory(factory.django.DjangoModelFactory[RosterRun]):
    class Meta:
        model = RosterRun

    from_on = MONDAY
    days = 7
    seconds_allowed = 10
    asked_at = NOW


def evenings(member: Member, *weekdays: int, **limits: Any) -> Member:
    """Let `member` come on these evenings (all: 1 to 7), within these limits."""
    LimitsFactory(member=member, **limits)
    for weekday in weekdays or range(1, 8):
        AvailabilityFactory(member=member, weekday=weekday)
    return member


def a_week(town: Town, *, days: int = 7, seats: int = 2) -> list[Shift]:
    """Make one patrol a day from 19:00 to 20:30 in Shanghai, in turn in both cells."""
    start = datetime.fromisoformat("2026-06-01T11:00:00+00:00")
    return [
        ShiftFactory(
            community=town.community,
            cell=town.cells[at % 2],
            seats_total=seats,
            starts_at=start + timedelta(days=at),
        )
        for at in range(days)
    ]
