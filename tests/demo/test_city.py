"""The demo city, small: its books verify, its counts agree, its rows obey the product's rules."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Count, F, Q, QuerySet

from common.unit_of_work import unit_of_work
from config.demo import city as demo_city
from config.demo.city_books import Books, Hold
from config.demo.city_map import cells_by_community, lay_out, spread
from config.demo.describe import cast_of
from grids.places.models import Community
from patrols.checkins.models import CheckIn
from patrols.shifts.models import Activity, Seat, Shift
from tests import factories
from timebank.earning.models import HourLog
from timebank.ledger.models import Account, Posting, Seal, SealLeaf, Transfer
from timebank.ledger.services import Move, ensure_account, post
from timebank.ledger.verify import verify
from timebank.spending.models import Booking, PayCode, Slot

# Two communities of 5 cells and two weeks; NOW is in the early afternoon.
SMALL = {
    "communities": 2,
    "cells": 10,
    "households": 4_140,
    "volunteers": 300,
    "days": 14,
    "roster_seconds": 5,
}


def _built() -> demo_city.DemoCity:
    heard: Counter[str] = Counter()

    def say(label: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        heard[label] += done == total

    city = demo_city.build(now=factories.NOW, say=say, **SMALL)
    assert len(heard) == 5
    assert set(heard.values()) == {1}, "each bar must end once"
    return city


@pytest.mark.django_db(transaction=True)
def test_a_small_city_is_whole() -> None:
    city = _built()
    _books_are_in_order(city)
    _seats_agree_with_shifts(city)
    _hours_agree_with_evidence_and_postings(city)
    _meals_agree_with_slots(city)
    _the_product_goes_on_from_here(city)


def _books_are_in_order(city: demo_city.DemoCity) -> None:
    report = verify()
    assert report.faults == []
    assert report.transfers == city.counts["transfers"] == Transfer.objects.count() > 300
    # Sealed each night from the first credits on; with a reviewer these come a day later.
    assert Seal.objects.count() == 13 + 12
    assert 0 < SealLeaf.objects.count() < report.transfers
    spent = Transfer.objects.filter(phase="posted").exclude(debit__kind="issue").count()
    assert spent == city.counts["charged"] + city.counts["given"] > 0


def _seats_agree_with_shifts(city: demo_city.DemoCity) -> None:
    past = Shift.objects.filter(ends_at__lt=factories.NOW)
    assert past.count() == city.counts["shifts"] == 10 * 14
    empty = Count("seats", filter=Q(seats__state="open"))
    assert not past.annotate(seen=Count("seats"), empty=empty).exclude(
        seen=3, empty=F("open_seats")
    )
    filled = Seat.objects.filter(shift__in=past, member__isnull=False)
    assert filled.count() > 0.9 * city.counts["seats"]
    # Nobody patrols on two evenings in a row, or on an evening that is not theirs.
    nights: dict[int, list[object]] = {}
    for member, on in filled.order_by("starts_at").values_list("member", "shift__local_date"):
        before = nights.setdefault(member, [])
        assert not before or on - before[-1] >= timedelta(days=2)  # type: ignore[operator]
        before.append(on)
    for seat in filled.select_related("shift")[:200]:
        weekday = seat.shift.local_date.isoweekday()
        assert seat.member is not None
        assert seat.member.availabilities.filter(weekday=weekday).exists()


def _hours_agree_with_evidence_and_postings(city: demo_city.DemoCity) -> None:
    out = Seat.objects.filter(state="checked_out")
    assert HourLog.objects.count() == out.count()
    assert CheckIn.objects.filter(kind="out").count() == out.count()
    approved = HourLog.objects.filter(state="approved")
    assert approved.filter(posting=None).count() == 0
    assert set(approved.filter(minutes=90).values_list("credits_earned", flat=True)) == {75}
    assert Posting.objects.filter(reason="earned").count() == approved.count()
    waiting = HourLog.objects.filter(state="pending")
    assert 0 < waiting.count() == city.counts["pending"]
    doubtful = CheckIn.objects.filter(verdict="review").values("seat_id")
    assert not approved.filter(automatic=True, source_id__in=doubtful).exists()
    assert approved.filter(automatic=True).exists()
    assert approved.filter(automatic=False).exists()


def _meals_agree_with_slots(city: demo_city.DemoCity) -> None:
    assert city.counts["redeemed"] > 0
    seated = Count("bookings", filter=~Q(bookings__state="cancelled"))
    assert not Slot.objects.annotate(seated=seated).exclude(taken=F("seated")).exists()
    held = sum(Account.objects.values_list("held", flat=True))
    assert held == sum(Booking.objects.filter(state="booked").values_list("price", flat=True))
    assert not PayCode.objects.filter(expires_at__lt=factories.NOW - timedelta(days=1)).exists()


def _the_product_goes_on_from_here(city: demo_city.DemoCity) -> None:
    """The ids, keys and dates of history must not stand in the way of what comes next."""
    coming = Shift.objects.filter(starts_at__gt=factories.NOW)
    assert coming.count() == city.counts["coming"] == 10 * 8
    assert not Activity.objects.filter(materialised_until__lt=factories.NOW).exists()
    assert city.cast is not None
    assert city.root.code == demo_city.STREET
    assert demo_city.exists()
    _the_week_is_planned(city, coming)
    kitchen = Account.objects.filter(kind="partner").order_by("-balance")[0]
    giver = Account.objects.filter(kind="member", balance__gte=100, held=0)[0]
    with unit_of_work(now=factories.NOW):
        post(
            actor=giver.member,
            key="after the year",
            reason=Posting.Reason.GIVEN,
            moves=[
                Move(
                    giver.pk,
                    Account.objects.exclude(pk=giver.pk)
                    .filter(ledger=giver.ledger, kind="member")[0]
                    .pk,
                    100,
                )
            ],
            now=factories.NOW,
        )
        PayCode.objects.create(
            member=city.cast.elder, code="N", created_at=factories.NOW, expires_at=factories.NOW
        )
    assert kitchen.balance > 0
    assert verify().clean


def _the_week_is_planned(city: demo_city.DemoCity, coming: QuerySet[Shift]) -> None:
    assert city.roster is not None
    assert city.roster.state == "applied"
    assert city.roster.seats_total == 10 * 7 * 3
    filled = Seat.objects.filter(shift__in=coming, state="assigned").count()
    assert filled == city.roster.measures["assigned"] > 0.95 * city.roster.seats_total
    assert Slot.objects.filter(starts_at__gt=factories.NOW).exists()
    assert cast_of().elder_without_phone == city.cast.elder_without_phone  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
def test_another_number_of_cells_is_said_and_not_hidden() -> None:
    with pytest.raises(demo_city.WrongCity):
        demo_city.build(now=factories.NOW, say=lambda *_: None, **{**SMALL, "households": 9_000})


@pytest.mark.django_db(transaction=True)
def test_the_books_refuse_what_the_ledger_would() -> None:
    community: Community = factories.CommunityFactory()
    now = factories.NOW
    with unit_of_work(now=now):
        issue = ensure_account(community=community, kind=Account.Kind.ISSUE, now=now)
        member = factories.MemberFactory(community=community)
        books = Books(issue.ledger, issue)
        one = books.open(member=member.pk)
        till = books.open(organisation=factories.OrganisationFactory(community=community).pk)
        give = {"actor": None, "reason": "earned", "memo": ""}
        books.move(books.issue, one, 100, at=now, key="a", **give)
        _posting, transfer = books.move(one, till, 60, at=now, key="b", phase="pending", **give)
        with pytest.raises(ValueError, match="has not got"):
            books.move(one, till, 41, at=now, key="c", **give)
        with pytest.raises(ValueError, match="time runs back"):
            books.move(one, till, 1, at=now - timedelta(1), key="c", **give)
    hold = Hold(transfer, one, till, 60)
    with unit_of_work(now=now):
        assert (one.balance, one.held, one.available) == (100, 60, 40)
        books.move(one, till, 60, at=now, key="d", phase="post", pending_of=hold, **give)
        assert (one.balance, one.held, till.balance) == (40, 0, 60)


def test_shares_add_up() -> None:
    assert spread(65_000, [5, 6, 4]) == [21_667, 26_000, 17_333]
    for seed in range(20):
        cells = cells_by_community(26, 157, random.Random(seed))
        assert sum(cells) == 157
        assert min(cells) >= 4
        assert max(cells) <= 9


def test_the_ground_has_each_household_once_and_no_two_blocks_in_one_place() -> None:
    ground = lay_out("河东社区", 3, 2_484, random.Random(1))
    assert sum(row.dwellings for row in ground.buildings) == 2_484
    assert len({row.source_id for row in ground.buildings}) == len(ground.buildings)
    shapes = [row.geometry for row in ground.buildings]
    assert not any(a.intersects(b) for i, a in enumerate(shapes) for b in shapes[:i])
    lines = [row.geometry for row in ground.streets]
    assert not any(line.intersects(shape) for line in lines for shape in shapes)
