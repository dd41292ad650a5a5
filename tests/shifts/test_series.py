"""Recurring shifts: rules, nights on which the clock changes, and making them ahead."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from common.errors import BadInput, NotAllowed
from common.unit_of_work import unit_of_work
from grids.people.models import Member
from patrols.shifts import jobs, recurrence, services
from patrols.shifts.models import Activity, Seat, Shift
from patrols.shifts.recurrence import BadRule, dates, instants
from realtime.models import Event
from tests.factories import NOW, Town, take

MONDAY = date(2026, 6, 1)


def falls(rule: str, days: int = 13) -> list[int]:
    return [
        (on - MONDAY).days
        for on in dates(rule, starts_on=MONDAY, first=MONDAY, last=MONDAY + timedelta(days=days))
    ]


def test_rules_fall_on_local_dates() -> None:
    assert falls("FREQ=DAILY") == list(range(14))
    assert falls("RRULE:FREQ=WEEKLY;BYDAY=MO,WE") == [0, 2, 7, 9]
    assert falls("FREQ=DAILY;INTERVAL=5") == [0, 5, 10]
    assert falls("FREQ=DAILY;COUNT=3") == [0, 1, 2]
    assert falls("FREQ=DAILY;UNTIL=20260603") == [0, 1, 2]
    assert falls("FREQ=DAILY;UNTIL=20260603T000000Z") == [0, 1, 2]
    assert falls("FREQ=MONTHLY;BYMONTHDAY=10") == [9]


def test_a_count_is_counted_from_the_start_of_the_rule() -> None:
    later = MONDAY + timedelta(days=2)
    found = dates(
        "FREQ=DAILY;COUNT=4", starts_on=MONDAY, first=later, last=later + timedelta(days=9)
    )
    assert found == [later, later + timedelta(days=1)]


@pytest.mark.parametrize(
    "rule",
    [
        "", "daily", "FREQ=HOURLY", "FREQ=SECONDLY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYHOUR=3",
        "FREQ=DAILY;FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=2;UNTIL=20260701", "FREQ=DAILY\nDTSTART:20260101",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTHDAY=x", "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;BYSETPOS=500",
    ],
)  # fmt: skip
def test_bad_rules_are_refused_with_a_reason(rule: str) -> None:
    with pytest.raises(BadRule) as refused:
        recurrence.check_rule(rule, starts_on=MONDAY)
    assert str(refused.value)


def test_the_wall_clock_holds_through_the_change_of_clocks() -> None:
    before, _ = instants(date(2026, 3, 28), time(19), 90, "Europe/Vaduz")
    after, _ = instants(date(2026, 3, 29), time(19), 90, "Europe/Vaduz")
    assert (before.hour, after.hour) == (18, 17)
    # 02:30 does not exist in the night to 29 March: it counts by the offset before the change.
    start, end = instants(date(2026, 3, 29), time(2, 30), 90, "Europe/Vaduz")
    assert start == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert end - start == timedelta(minutes=90)
    # 02:30 comes twice in the night to 25 October: the first counts, and 90 minutes are 90.
    start, end = instants(date(2026, 10, 25), time(2, 30), 90, "Europe/Vaduz")
    assert start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert end - start == timedelta(minutes=90)
    china = {instants(MONDAY + timedelta(days=at), time(19), 90, "Asia/Shanghai")[0].hour
             for at in range(0, 365, 7)}  # fmt: skip
    assert china == {11}


def activity(town: Town, actor: Member | None = None, **fields: Any) -> Activity:
    actor = actor or town.captain
    values: dict[str, Any] = {
        "community_id": town.community.pk,
        "cell_id": town.cells[0].pk,
        "rrule": "FREQ=DAILY",
        "starts_on": MONDAY,
        "ends_on": None,
        "starts_local": time(23, 30),
        "duration_minutes": 90,
        "duty": services.DutyFields(title="夜间巡逻", kind="patrol"),
        **fields,
    }
    with unit_of_work(actor, now=NOW):
        return services.create_activity(actor=actor, now=NOW, **values)


@pytest.mark.django_db
def test_an_activity_makes_its_shifts_ahead_and_only_once(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 3
    made = activity(town)
    shifts = list(Shift.objects.order_by("starts_at"))
    assert [shift.local_date for shift in shifts] == [
        MONDAY + timedelta(days=at) for at in range(4)
    ]
    # Belongs to the date on which it starts, though it ends on the next.
    assert shifts[0].ends_at == datetime(2026, 6, 1, 17, tzinfo=UTC)
    assert (shifts[0].title, shifts[0].seats_total, shifts[0].open_seats) == ("夜间巡逻", 3, 3)
    assert Seat.objects.count() == 12
    assert Event.objects.filter(type="shift.created").count() == 8
    assert jobs.make_shifts(NOW) == 0
    assert jobs.make_shifts(NOW + timedelta(days=1)) == 1
    with unit_of_work(None, now=NOW):
        again = services.materialise_shifts(
            activity=Activity.objects.get(pk=made.pk), until=MONDAY + timedelta(days=4), now=NOW
        )
    assert again == []
    assert Shift.objects.count() == 5


@pytest.mark.django_db
def test_the_end_date_is_the_last(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 10
    activity(town, ends_on=MONDAY + timedelta(days=1))
    assert Shift.objects.count() == 2
    assert jobs.make_shifts(NOW + timedelta(days=10)) == 0


@pytest.mark.django_db
@pytest.mark.expects_errors
def test_an_activity_that_can_not_be_made_stops_no_other(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 3
    broken, sound = activity(town), activity(town)
    Activity.objects.filter(pk=broken.pk).update(rrule="FREQ=NEVER")
    assert jobs.make_shifts(NOW + timedelta(days=1)) == 1
    assert Shift.objects.filter(activity=broken).count() == 4
    assert Shift.objects.filter(activity=sound).count() == 5


@pytest.mark.django_db
def test_a_zone_with_summer_time(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 2
    town.community.zone = "Europe/Vaduz"
    town.community.save()
    night = datetime(2026, 3, 28, 12, tzinfo=UTC)
    with unit_of_work(town.captain, now=night):
        services.create_activity(
            community_id=town.community.pk,
            cell_id=None,
            rrule="FREQ=DAILY",
            starts_on=date(2026, 3, 28),
            ends_on=None,
            starts_local=time(2, 30),
            duration_minutes=60,
            duty=services.DutyFields(title="x", kind="patrol"),
            actor=town.captain,
            now=night,
        )
    made = Shift.objects.order_by("starts_at").values_list("local_date", "starts_at")
    assert list(made) == [
        (date(2026, 3, 29), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (date(2026, 3, 30), datetime(2026, 3, 30, 0, 30, tzinfo=UTC)),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rrule": "FREQ=HOURLY"}, "rrule"),
        ({"ends_on": MONDAY - timedelta(days=1)}, "ends_on"),
        ({"duration_minutes": 1441}, "duration_minutes"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duty": services.DutyFields(title="x", kind="patrol", seats=51)}, "seats"),
        ({"cell_id": 10**9}, "cell"),
    ],
)
def test_bad_activities_name_the_field(town: Town, fields: Any, named: str) -> None:
    with pytest.raises(BadInput) as refused:
        activity(town, **fields)
    assert list(refused.value.data["errors"]) == [named]
    assert not Activity.objects.exists()


@pytest.mark.django_db
def test_only_captains_make_activities(town: Town) -> None:
    with pytest.raises(NotAllowed):
        activity(town, town.volunteers[0])


@pytest.mark.django_db
def test_a_change_reaches_empty_shifts_and_keeps_promises(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 3
    made = activity(town)
    held = Shift.objects.get(local_date=MONDAY + timedelta(days=1))
    take(held.seats.first(), town.volunteers[0])

    def change(actor: Member, **changes: Any) -> None:
        with unit_of_work(actor, now=NOW):
            services.change_activity(activity_id=made.pk, changes=changes, actor=actor, now=NOW)

    with pytest.raises(NotAllowed):
        change(town.volunteers[0], title="x")
    with pytest.raises(BadInput):
        change(town.captain, rrule="FREQ=HOURLY")
    change(town.captain, starts_local=time(20), seats=4, rrule="FREQ=DAILY;INTERVAL=2")
    rows = {
        (shift.local_date - MONDAY).days: (shift.state, shift.starts_at.hour, shift.open_seats)
        for shift in Shift.objects.all()
    }
    assert rows == {
        0: ("scheduled", 12, 4),
        1: ("scheduled", 15, 2),
        2: ("scheduled", 12, 4),
        3: ("cancelled", 15, 3),
    }
    assert all(
        shift.seats.filter(starts_at=shift.starts_at, ends_at=shift.ends_at).count()
        == shift.seats_total
        for shift in Shift.objects.all()
    )
    change(town.captain, active=False)
    assert set(Shift.objects.filter(state="scheduled")) == {held}


def edit(town: Town, made: Activity, **changes: Any) -> None:
    with unit_of_work(town.captain, now=NOW):
        services.change_activity(activity_id=made.pk, changes=changes, actor=town.captain, now=NOW)


def edit_shift(town: Town, shift: Shift, **changes: Any) -> None:
    with unit_of_work(town.captain, now=NOW):
        services.change_shift(shift_id=shift.pk, changes=changes, actor=town.captain, now=NOW)


@pytest.mark.django_db
def test_what_a_captain_changed_on_one_shift_stays(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 2
    made = activity(town, starts_local=time(19))
    own, other = Shift.objects.order_by("local_date")[1:]
    at = datetime(2026, 6, 2, 12, tzinfo=UTC)
    edit_shift(town, own, seats=5, starts_at=at, ends_at=at + timedelta(hours=1))

    def now(shift: Shift) -> tuple[Any, ...]:
        shift.refresh_from_db()
        assert shift.seats.filter(ends_at=shift.ends_at).count() == shift.open_seats
        return (shift.meeting_name, shift.seats_total, shift.starts_at.hour, shift.ends_at.hour)

    edit(town, made, meeting_name="x")
    assert (now(own), now(other)) == (("x", 5, 12, 13), ("x", 3, 11, 12))
    told = Event.objects.filter(type="shift.changed").count()
    # Even where the series changes the same; a longer shift does not get a start of its own.
    edit(town, made, seats=4, duration_minutes=180)
    assert (now(own), now(other)) == (("x", 5, 12, 13), ("x", 4, 11, 14))
    assert Event.objects.filter(type="shift.changed").count() == told + 2 * 2
    # Switched off and on, it comes back as the captain left it.
    edit(town, made, active=False)
    edit(town, made, active=True, title="y")
    assert (now(own), own.title, own.state) == (("x", 5, 12, 13), "y", "scheduled")
    # Given back what the series says, it follows again.
    edit_shift(town, own, seats=4)
    edit(town, made, seats=2)
    assert (now(own)[1], now(other)[1]) == (2, 2)


@pytest.mark.django_db
def test_a_meeting_point_changed_by_hand_stays_whole(town: Town, settings: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 1
    made = activity(town)
    own, other = Shift.objects.order_by("local_date")
    edit_shift(town, own, meeting_name="东门")
    edit(town, made, meeting_name="西门", meeting_lat=37.1, meeting_lon=122.4)
    for shift in (own, other):
        shift.refresh_from_db()
    assert (own.meeting_name, own.meeting_lat, own.meeting_lon) == ("东门", None, None)
    assert (other.meeting_name, other.meeting_lat) == ("西门", 37.1)


@pytest.mark.django_db
def test_switched_off_and_on_again_comes_back_but_not_what_a_captain_called_off(
    town: Town, settings: Any
) -> None:
    settings.SHIFTS_AHEAD_DAYS = 2
    made = activity(town)
    off = Shift.objects.get(local_date=MONDAY + timedelta(days=1))
    with unit_of_work(town.captain, now=NOW):
        services.cancel_shift(shift_id=off.pk, actor=town.captain, now=NOW)
    for changes in ({"active": False}, {"active": True, "seats": 2}):
        with unit_of_work(town.captain, now=NOW):
            services.change_activity(
                activity_id=made.pk, changes=changes, actor=town.captain, now=NOW
            )
        if not changes["active"]:
            assert not Shift.objects.filter(state="scheduled").exists()
    rows = Shift.objects.order_by("local_date").values_list("state", "open_seats")
    assert list(rows) == [("scheduled", 2), ("cancelled", 3), ("scheduled", 2)]
    assert Event.objects.filter(type="shift.created").count() == 2 * (3 + 2)


@pytest.mark.django_db
def test_the_command(town: Town, settings: Any, capsys: Any) -> None:
    settings.SHIFTS_AHEAD_DAYS = 0
    activity(town, starts_on=MONDAY)
    with time_machine.travel(NOW, tick=False):
        call_command("make_shifts", "--community", town.community.code, "--days", "2")
    assert "2 new shifts" in capsys.readouterr().out
    with pytest.raises(CommandError, match="nowhere"):
        call_command("make_shifts", "--community", "nowhere")
    with pytest.raises(CommandError, match="400"):
        call_command("make_shifts", "--days", "401")
