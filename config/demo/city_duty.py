"""A year of nightly patrols in one community: who came, what they proved, what it earned."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings

from config.demo.city_bulk import Rows
from patrols.checkins.models import CheckIn
from patrols.checkins.queries import SOURCE
from patrols.checkins.verdict import Evidence, Judgement, Position, Window, judge, minutes_worked
from patrols.shifts.models import Activity, Seat, Shift
from timebank.earning.models import HourLog

_EARLY, _LATE = 30, 15
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


@dataclass(slots=True)
class Volunteer:
    """A member as the year's rosters see them; days count from the first day of the year."""

    pk: int
    evenings: frozenset[int]
    most_a_week: int
    experienced: bool
    joined_day: int
    last_day: int = -9
    week: int = -1
    in_week: int = 0

    def may_come(self, day: int, weekday: int, week: int) -> bool:
        """Say whether they are free: their evening, a night off before, and not too often."""
        return (
            weekday in self.evenings
            and day >= self.joined_day
            and day - self.last_day >= 2
            and (self.week != week or self.in_week < self.most_a_week)
        )

    def take(self, day: int, week: int) -> None:
        """Note a night on patrol."""
        self.in_week = self.in_week + 1 if self.week == week else 1
        self.last_day, self.week = day, week


@dataclass(frozen=True, slots=True)
class Worked:
    """A check-out and the hours it logged; `hour` is the id of the log."""

    hour: int
    member: int
    minutes: int
    at: datetime
    trusted: bool
    row: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Beat:
    """A cell's patrol: its activity and the volunteers who live there."""

    activity: Activity
    volunteers: list[Volunteer] = field(default_factory=list)


class Duty:
    """Keeps the rows of shifts, seats and check-ins of one community."""

    def __init__(
        self, community_id: int, beats: list[Beat], chance: random.Random, now: datetime
    ) -> None:
        self._beats, self._chance = beats, chance
        self._keeps_from = now - timedelta(days=settings.POSITION_KEEP_DAYS)
        first = beats[0].activity
        self._shifts = Rows(
            Shift,
            "activity_id cell_id meeting_name meeting_lat meeting_lon starts_at ends_at local_date "
            "open_seats meeting_code",
            community_id=community_id,
            kind=first.kind,
            category=first.category,
            title=first.title,
            seats_total=first.seats_total,
            wants_experienced=first.wants_experienced,
            early_minutes=_EARLY,
            late_minutes=_LATE,
        )
        self._seats = Rows(Seat, "shift_id index state member_id starts_at ends_at taken_at")
        self._checkins = Rows(
            CheckIn,
            "seat_id member_id kind occurred_at received_at lat lon accuracy_m distance_m method "
            "verdict reasons",
        )
        self.hours = Rows(
            HourLog,
            "member_id worked_on minutes source_id evidence logged_at entered_by_id state "
            "decided_by_id decided_at automatic reason rule_version_id rule_line_id "
            "counted_minutes credits_earned posting_id",
            community_id=community_id,
            category=first.category,
            title=first.title,
            source_type=SOURCE,
        )

    def night(self, day: int, on: date, starts_at: datetime, ends_at: datetime) -> list[Worked]:
        """Play one night in every cell; return the hours logged, in the order of time."""
        worked: list[Worked] = []
        window = Window(starts_at, ends_at, _EARLY, _LATE)
        for beat in self._beats:
            team = list(self._team(beat, day, on))
            activity = beat.activity
            shift = self._shifts.add(
                activity.pk, activity.cell_id, activity.meeting_name, activity.meeting_lat,
                activity.meeting_lon, starts_at, ends_at, on, team.count(None),
                "".join(self._chance.choices(_CODE_LETTERS, k=6)),
            )  # fmt: skip
            for index, volunteer in enumerate(team, start=1):
                one = self._seat(shift, index, volunteer, window, activity, on)
                if one is not None:
                    worked.append(one)
        worked.sort(key=lambda one: (one.at, one.hour))
        return worked

    def _team(self, beat: Beat, day: int, on: date) -> Iterator[Volunteer | None]:
        """Choose who had waited longest, one experienced first; some seats stay open."""
        weekday, week = on.isoweekday(), (on.toordinal() - 1) // 7
        free = [v for v in beat.volunteers if v.may_come(day, weekday, week)]
        free.sort(key=lambda v: v.last_day)
        free.sort(key=lambda v: not v.experienced)
        lead, others = free[:1], sorted(free[1:], key=lambda v: v.last_day)
        queue = iter(lead + others)
        for _seat in range(beat.activity.seats_total):
            volunteer = None if self._chance.random() < 0.035 else next(queue, None)
            if volunteer is not None:
                volunteer.take(day, week)
            yield volunteer

    def _seat(
        self,
        shift: int,
        index: int,
        volunteer: Volunteer | None,
        window: Window,
        activity: Activity,
        on: date,
    ) -> Worked | None:
        """Write a seat and what came of it; return its hours, if any."""
        start, end = window.starts_at, window.ends_at
        if volunteer is None:
            self._seats.add(shift, index, "open", None, start, end, None)
            return None
        luck = self._chance.random()
        state = "no_show" if luck < 0.012 else "checked_in" if luck < 0.016 else "checked_out"
        planned_at = start - timedelta(days=4)
        seat = self._seats.add(shift, index, state, volunteer.pk, start, end, planned_at)
        if state == "no_show":
            return None
        late = self._chance.randint(18, 40) if luck < 0.045 else self._chance.randint(-9, 6)
        came = start + timedelta(minutes=late, seconds=self._chance.randrange(60))
        first = self._check(seat, volunteer, window, activity, "in", came, None)
        if state == "checked_in":
            return None
        gone = end + timedelta(seconds=self._chance.randrange(400))
        last = self._check(seat, volunteer, window, activity, "out", gone, came)
        minutes = minutes_worked(window, came, gone)
        evidence = {
            "shift": shift,
            "starts_at": start.isoformat(),
            "ends_at": end.isoformat(),
            "in": first[1],
            "out": last[1],
        }
        received: datetime = last[2]
        return Worked(
            hour=self.hours.new_id(),
            member=volunteer.pk,
            minutes=minutes,
            at=received,
            trusted=not (first[0].reasons or last[0].reasons),
            row=(volunteer.pk, on, minutes, seat, evidence, received, volunteer.pk),
        )

    def _check(
        self,
        seat: int,
        volunteer: Volunteer,
        window: Window,
        activity: Activity,
        kind: Any,
        at: datetime,
        other: datetime | None,
    ) -> tuple[Judgement, dict[str, Any], datetime]:
        """Write one check-in, judged by the product's own rules; positions go after a month."""
        chance = self._chance
        received = at + timedelta(seconds=chance.randrange(1, 9))
        code = chance.random() < 0.12
        accuracy = None if code else float(chance.randint(8, 45))
        far = 0.0 if chance.random() < 0.985 else float(chance.randint(60, 300))
        judgement = judge(
            window,
            Evidence(
                kind=kind,
                occurred_at=at,
                received_at=received,
                position=None if code else Position(far, accuracy),
                code_right=True if code else None,
                other_at=other,
            ),
        )
        keeps = received >= self._keeps_from and not code
        lat, lon = (
            (_near(activity.meeting_lat, far, chance), _near(activity.meeting_lon, 0, chance))
            if keeps
            else (None, None)
        )
        distance = None if code else far
        reasons = list(judgement.reasons)
        self._checkins.add(
            seat, volunteer.pk, kind, at, received, lat, lon, accuracy if keeps else None, distance,
            judgement.method, judgement.verdict, reasons,
        )  # fmt: skip
        return judgement, {
            "at": at.isoformat(),
            "received_at": received.isoformat(),
            "method": judgement.method,
            "verdict": judgement.verdict,
            "reasons": reasons,
            "distance_m": None if distance is None else round(distance),
        }, received  # fmt: skip

    def write(self) -> dict[str, int]:
        """Write everything but the hours, whose postings come first; return the counts."""
        return {
            "shifts": self._shifts.write(),
            "seats": self._seats.write(),
            "checkins": self._checkins.write(),
        }


def _near(degrees: float | None, metres: float, chance: random.Random) -> float:
    return round((degrees or 0.0) + (metres + chance.uniform(0, 12)) / 111_195, 6)
