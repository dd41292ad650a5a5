"""A year of one community: nights on patrol, hours decided, credits earned, given and spent.

Each day runs in the order of time (01:00 unfetched meals, 02:00 seal, 08:30 review, 09:30 gift,
09:40 lunch, 14:00 shops, 19:30 patrol): every account's transfers follow each other, as the ledger
wants them. The last evening's hours stay for the reviewer.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.demo.city_books import Books
from config.demo.city_duty import Beat, Duty, Worked
from config.demo.city_spending import Shop, Spending
from grids.places.models import Community
from timebank.earning import rates
from timebank.earning.models import RuleLine
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import ensure_account

_NOT_PROVEN = "位置不符，请与网格长核对 Position does not match"


@dataclass(frozen=True)
class Plot:
    """Everything that the year of one community needs to know; members are ids."""

    community: Community
    beats: list[Beat]
    elders: list[int]
    reviewer: int
    rule: RuleLine
    kitchen: Shop
    merchants: list[Shop]


class Year:
    """Call `run`, then `write`, inside one unit of work."""

    def __init__(self, plot: Plot, *, first: date, days: int, now: datetime, seed: str) -> None:
        self._plot, self._first, self._days, self._now = plot, first, days, now
        chance = random.Random(seed)
        self._chance = chance
        self._zone = ZoneInfo(plot.community.zone)
        issue = ensure_account(community=plot.community, kind=Account.Kind.ISSUE, now=now)
        self._books = Books(issue.ledger, issue)
        self._duty = Duty(plot.community.pk, plot.beats, chance, now)
        self._spending = Spending(
            self._books,
            payers=[volunteer.pk for beat in plot.beats for volunteer in beat.volunteers],
            elders=plot.elders,
            kitchen=plot.kitchen,
            merchants=plot.merchants,
            meals_a_day=len(plot.beats),
            zone=self._zone,
            chance=chance,
        )
        self._line = rates.Line(per_hour=plot.rule.per_hour, flat=plot.rule.flat)
        self._waiting: list[Worked] = []
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Play every day before today."""
        activity = self._plot.beats[0].activity
        for day in range(self._days):
            on = self._first + timedelta(days=day)
            midnight = datetime.combine(on, time(), self._zone)
            self._spending.lapse(midnight + timedelta(hours=1))
            self._books.seal(midnight + timedelta(hours=2))
            self._review(midnight + timedelta(hours=8, minutes=30))
            self._spending.give(midnight + timedelta(hours=9, minutes=30))
            self._spending.lunch(on)
            self._spending.shop(midnight + timedelta(hours=14))
            starts_at = datetime.combine(on, activity.starts_local, self._zone)
            ends_at = starts_at + timedelta(minutes=activity.duration_minutes)
            self._evening(self._duty.night(day, on, starts_at, ends_at))

    def _evening(self, worked: list[Worked]) -> None:
        """Pay at once what is proven, where the community allows it; the rest waits."""
        automatic = self._plot.community.auto_approve_hours
        for one in worked:
            if automatic and one.trusted:
                self._approve(one, at=one.at, by=None)
            else:
                self._waiting.append(one)

    def _review(self, at: datetime) -> None:
        """Decide what waits from the night before; a few of the doubtful are refused."""
        for one in self._waiting:
            at += timedelta(seconds=15)
            if one.trusted or self._chance.random() > 0.06:
                self._approve(one, at=at, by=self._plot.reviewer)
            else:
                self._duty.hours.put(
                    one.hour, *one.row, "rejected", self._plot.reviewer, at, False, _NOT_PROVEN,
                    None, None, 0, 0, None,
                )  # fmt: skip
                self._counts["rejected"] += 1
        self._waiting = []

    def _approve(self, one: Worked, *, at: datetime, by: int | None) -> None:
        rule = self._plot.rule
        rating = rates.rate(self._line, one.minutes)
        posting = None
        if rating.credits:
            posting, _transfer = self._books.move(
                self._books.issue,
                self._spending.purses[one.member],
                rating.credits,
                at=at,
                actor=by,
                key=f"hours:{one.hour}",
                reason=Posting.Reason.EARNED,
                memo=self._plot.beats[0].activity.title,
                source=("hour_log", one.hour),
                rule_version=rule.version_id,
            )
        self._duty.hours.put(
            one.hour, *one.row, "approved", by, at, by is None, "", rule.version_id, rule.pk,
            rating.counted, rating.credits, posting,
        )  # fmt: skip
        self._counts["approved"] += 1
        self._counts["earned"] += rating.credits

    def write(self) -> Counter[str]:
        """Write the year, parents before children; return what there was of each."""
        for one in self._waiting:
            self._duty.hours.put(
                one.hour, *one.row, "pending", None, None, False, "", None, None, 0, 0, None
            )
            self._counts["pending"] += 1
        counts = self._counts + self._spending.counts
        counts["transfers"] = self._books.write()
        counts.update(self._duty.write())
        counts["hours"] = self._duty.hours.write()
        self._spending.write(pay_codes_from=self._now - timedelta(days=1))
        return counts
