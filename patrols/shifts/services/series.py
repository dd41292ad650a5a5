"""Activities that recur, and the shifts they are made into."""

from collections.abc import Iterable
from copy import copy
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from common.errors import BadInput, NotAllowed
from common.locks import lock
from common.models import Audit
from common.unit_of_work import current
from grids.people.models import Member
from grids.places.models import Community
from patrols.shifts import events, recurrence
from patrols.shifts.models import Activity, Seat, Shift
from patrols.shifts.queries import activity_visible_to
from patrols.shifts.rules import keeps_activities
from patrols.shifts.services.by_hand import as_made, changed_by_hand, whole
from patrols.shifts.services.duties import (
    LONGEST,
    DutyFields,
    Faults,
    call_off,
    changed_duty,
    check_duty,
    columns_of,
    insert_shifts,
    local_date,
    new_shift,
    place_led_by,
    resize,
)

# When an activity takes place; what it is stands in DutyFields.
WHEN = ("rrule", "starts_on", "ends_on", "starts_local", "duration_minutes")


def create_activity(
    *,
    community_id: int,
    cell_id: int | None,
    rrule: str,
    starts_on: date,
    ends_on: date | None,
    starts_local: time,
    duration_minutes: int,
    duty: DutyFields,
    actor: Member,
    now: datetime,
) -> Activity:
    """Make a recurring duty and its shifts for the days ahead, as captain.

    Raises NotFound, NotAllowed, BadInput (by field; for `rrule` with the reason).
    """
    work = current()
    community, cell = place_led_by(community_id, cell_id, actor, may=keeps_activities)
    activity = Activity(
        community=community,
        cell=cell,
        rrule=rrule,
        starts_on=starts_on,
        ends_on=ends_on,
        starts_local=starts_local,
        duration_minutes=duration_minutes,
        **duty.columns(),
    )
    _check_activity(activity, duty)
    activity.save()
    work.audit("activity.create", activity, after=_facts(activity))
    materialise_shifts(activity=activity, until=ahead_of(community, now), now=now)
    return activity


def change_activity(
    *, activity_id: int, changes: dict[str, Any], actor: Member, now: datetime
) -> Activity:
    """Change a recurring duty, and likewise its coming shifts on which nobody sits yet.

    Shifts that people hold stay as promised, and of others what a captain changed by hand. Dates
    that no longer recur are called off where nobody sits, and come back when they recur again,
    unless a captain called them off.
    Raises NotFound, NotAllowed, BadInput.
    """
    work = current()
    activity = activity_visible_to(actor, activity_id)
    if not keeps_activities(actor, community=activity.community, cell=activity.cell):
        raise NotAllowed
    # Two changes at once: the second starts from what the first made of it.
    fresh = lock(Activity.objects.all(), [activity.pk])[activity.pk]
    fresh.community, fresh.cell = activity.community, activity.cell
    activity = fresh
    was, before = copy(activity), _facts(activity)
    duty = changed_duty(activity, changes)
    for name, value in duty.columns().items():
        setattr(activity, name, value)
    for name in (*WHEN, "active"):
        if name in changes:
            setattr(activity, name, changes[name])
    _check_activity(activity, duty)
    activity.materialised_until = None
    activity.save()
    last = ahead_of(activity.community, now)
    _refresh_coming(activity, was, last, now)
    if activity.active:
        materialise_shifts(activity=activity, until=last, now=now)
    after = _facts(activity)
    work.audit(
        "activity.change",
        activity,
        before={name: value for name, value in before.items() if value != after[name]},
        after={name: value for name, value in after.items() if value != before[name]},
    )
    return activity


def materialise_shifts(
    *, activity: Activity, until: date, now: datetime, since: date | None = None
) -> list[Shift]:
    """Make the activity's missing shifts from `since` (today) to `until`, both local dates.

    Without `since` a shift that has ended is not made. Running it again makes nothing more.
    Raises BadInput when the rule can't be used.
    """
    work = current()
    # Two runs at once: the second waits here and then finds the dates made.
    lock(Activity.objects.all(), [activity.pk])
    first = since or local_date(now, activity.community)
    wanted = _dates(activity, first=max(first, activity.starts_on), last=until)
    made = set(
        Shift.objects.filter(activity=activity, local_date__in=wanted).values_list(
            "local_date", flat=True
        )
    )
    columns = columns_of(activity)
    shifts = []
    for on in wanted:
        starts_at, ends_at = recurrence.instants(
            on, activity.starts_local, activity.duration_minutes, activity.community.zone
        )
        if on in made or (since is None and ends_at <= now):
            continue
        shift = new_shift(activity.community, activity.cell, starts_at, ends_at, columns)
        shift.activity, shift.local_date = activity, on
        shifts.append(shift)
    insert_shifts(shifts)
    if activity.materialised_until is None or activity.materialised_until < until:
        activity.materialised_until = until
        activity.save(update_fields=["materialised_until"])
    if shifts:
        work.audit("activity.materialise", activity, after={"shifts": len(shifts)})
    for shift in shifts:
        events.record_shift(events.ShiftCreated, shift)
    return shifts


def ahead_of(community: Community, now: datetime) -> date:
    """Return the local date up to which recurring shifts are made."""
    return local_date(now, community) + timedelta(days=settings.SHIFTS_AHEAD_DAYS)


def _check_activity(activity: Activity, duty: DutyFields) -> None:
    faults = Faults()
    if not 1 <= activity.duration_minutes <= LONGEST // timedelta(minutes=1):
        faults.add("duration_minutes", _("A shift lasts at most 24 hours."))
    if activity.ends_on is not None and activity.ends_on < activity.starts_on:
        faults.add("ends_on", _("The end must be after the start."))
    try:
        recurrence.check_rule(activity.rrule, starts_on=activity.starts_on)
    except recurrence.BadRule as error:
        faults.add("rrule", str(error))
    else:
        if activity.ends_on is not None and not (faults.by_field or _dates_at_all(activity)):
            faults.add("ends_on", _("No such day lies between the first and the last day."))
    check_duty(faults, duty)
    faults.stop()


def _facts(activity: Activity) -> dict[str, Any]:
    """Return what the audit trail keeps of an activity."""
    return {
        **columns_of(activity),
        "rrule": activity.rrule,
        "starts_on": activity.starts_on.isoformat(),
        "ends_on": activity.ends_on and activity.ends_on.isoformat(),
        "starts_local": activity.starts_local.isoformat("minutes"),
        "duration_minutes": activity.duration_minutes,
        "active": activity.active,
    }


def _dates_at_all(activity: Activity) -> bool:
    """Say whether the rule falls on any day of the activity; asked only with a last day."""
    assert activity.ends_on is not None
    return bool(_dates(activity, first=activity.starts_on, last=activity.ends_on))


def _dates(activity: Activity, *, first: date, last: date) -> list[date]:
    if activity.ends_on is not None:
        last = min(last, activity.ends_on)
    if last < first:
        return []
    try:
        return recurrence.dates(
            activity.rrule, starts_on=activity.starts_on, first=first, last=last
        )
    except recurrence.BadRule as error:
        raise BadInput({"rrule": [str(error)]}) from error


def _refresh_coming(activity: Activity, was: Activity, last: date, now: datetime) -> None:
    """Change coming shifts on which nobody sits in what changed of the activity.

    One that comes back may have missed changes: it takes all. What a captain changed stays.
    """
    today = local_date(now, activity.community)
    wanted = set(_dates(activity, first=today, last=last)) if activity.active else set()
    coming = Shift.objects.filter(activity=activity, starts_at__gt=now)
    shifts = lock(Shift.objects.all(), coming.values_list("pk", flat=True))
    by_captain = _called_off_by_captain(shifts)
    by_hand = changed_by_hand(shifts.values(), was)
    for shift in shifts.values():
        restored = shift.state == Shift.State.CANCELLED
        if restored and (shift.pk in by_captain or shift.local_date not in wanted):
            continue
        ids = Seat.objects.filter(shift=shift).values_list("pk", flat=True)
        seats = sorted(lock(Seat.objects.all(), ids).values(), key=lambda seat: seat.index)
        if any(seat.member_id is not None for seat in seats):
            continue
        shift.community = activity.community
        if shift.local_date not in wanted:
            call_off(shift, seats, {})
            continue
        old, new = as_made(was, shift.local_date), as_made(activity, shift.local_date)
        names = whole(name for name in new if restored or new[name] != old[name])
        names -= by_hand.get(shift.pk, set())
        if not names and not restored:
            continue
        for name in names:
            setattr(shift, name, new[name])
        for seat in seats:
            seat.starts_at, seat.ends_at = shift.starts_at, shift.ends_at
        Seat.objects.bulk_update(seats, ["starts_at", "ends_at"])
        shift.open_seats = len(resize(shift, seats))
        shift.state = Shift.State.SCHEDULED
        shift.save()
        events.record_shift(events.ShiftCreated if restored else events.ShiftChanged, shift)


def _called_off_by_captain(shifts: Iterable[int]) -> set[int | None]:
    """Return which shifts a captain called off: only that is audited as `shift.cancel`."""
    said = Audit.objects.filter(
        subject_type=Shift._meta.label_lower, subject_id__in=list(shifts), action="shift.cancel"
    )
    return set(said.values_list("subject_id", flat=True))
