"""Positions: exported to their owner, erased by schedule and on request."""

from datetime import timedelta

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from common import jobs
from common.unit_of_work import unit_of_work
from grids.people import registries
from patrols.checkins.models import CheckIn
from patrols.checkins.services import check_in
from tests.checkins.factories import INSIDE, START, a_patrol
from tests.earning.factories import logged
from tests.factories import Town

pytestmark = pytest.mark.django_db


@pytest.fixture
def checkin(town: Town) -> CheckIn:
    """A check-in with its position."""
    seat = a_patrol(town)
    with unit_of_work(seat.member, now=START):
        return check_in(
            actor=town.volunteers[0], seat_id=seat.pk, kind="in", occurred_at=None, code="",
            now=START, **INSIDE,
        ).checkin  # fmt: skip


def test_positions_are_forgotten_after_the_promised_days(checkin: CheckIn) -> None:
    keep = timedelta(days=settings.POSITION_KEEP_DAYS)
    run = jobs.registered["checkins.forget_positions"].run
    run(START + keep)
    checkin.refresh_from_db()
    assert checkin.lat == INSIDE["lat"]
    run(START + keep + timedelta(seconds=1))
    checkin.refresh_from_db()
    assert (checkin.lat, checkin.lon, checkin.accuracy_m) == (None, None, None)
    assert (checkin.verdict, checkin.method, checkin.distance_m) == ("accepted", "position", 0)


def test_erasing_a_person_forgets_their_positions_only(checkin: CheckIn, town: Town) -> None:
    from patrols.checkins.services import erase_positions_of

    assert erase_positions_of in registries.erasers
    with unit_of_work():
        erase_positions_of(town.volunteers[1], START)
    checkin.refresh_from_db()
    assert checkin.lat is not None
    with unit_of_work():
        erase_positions_of(town.volunteers[0], START)
    checkin.refresh_from_db()
    assert (checkin.lat, checkin.lon, checkin.distance_m) == (None, None, None)
    assert CheckIn.objects.filter(pk=checkin.pk, verdict="accepted").exists()


def test_the_export_holds_ones_own_data(checkin: CheckIn, town: Town, api: APIClient) -> None:
    hour = logged(town)
    mine, theirs = town.volunteers[:2]
    assert [row["lat"] for row in registries.export_parts["checkins"](mine)] == [INSIDE["lat"]]
    assert [row["id"] for row in registries.export_parts["hours"](mine)] == [hour.pk]
    assert registries.export_parts["checkins"](theirs) == []
    assert registries.export_parts["hours"](theirs) == []
