"""Make, change and cancel a single shift."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from common.errors import DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from patrols.shifts import events
from patrols.shifts.models import Seat, Shift
from patrols.shifts.queries import shift_visible_to
from patrols.shifts.rules import leads_shift
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
from patrols.shifts.services.seats import ShiftGone, ShiftOver, require_free


def create_shift(
    *,
    community_id: int,
    cell_id: int | None,
    starts_at: datetime,
    ends_at: datetime,
    duty: DutyFields,
    actor: Member,
    now: datetime,
) -> Shift:
    """Make one shift with its seats, as captain of that cell or community.

    Raises NotFound, NotAllowed, BadInput (by field).
    """
    work = current()
    community, cell = place_led_by(community_id, cell_id, actor)
    faults = Faults()
    _check_times(faults, starts_at, ends_at, now)
    check_duty(faults, duty)
    faults.stop()
    shift = new_shift(community, cell, starts_at, ends_at, duty.columns())
    insert_shifts([shift])
    work.audit("shift.create", shift, after=_facts(shift))
    events.record_shift(events.ShiftCreated, shift)
    return shift


def change_shift(*, shift_id: int, changes: dict[str, Any], actor: Member, now: datetime) -> Shift:
    """Change title, kind, times, seats, skills or meeting point of a shift, as its captain.

    `changes` has names of DutyFields, `starts_at`, `ends_at`. Whoever holds a seat must still
    fit the new time. Raises NotFound, NotAllowed, ShiftGone, ShiftOver, BadInput, SeatsTaken,
    OverlappingShift, RestTooShort.
    """
    work = current()
    shift, seats, members = _lock_whole(shift_id, actor)
    if now >= shift.ends_at:
        raise ShiftOver
    before = _facts(shift)
    starts_at = changes.get("starts_at", shift.starts_at)
    ends_at = changes.get("ends_at", shift.ends_at)
    duty = changed_duty(shift, changes)
    moved = (starts_at, ends_at) != (shift.starts_at, shift.ends_at)
    faults = Faults()
    if moved:
        _check_times(faults, starts_at, ends_at, now)
        if shift.activity_id and local_date(starts_at, shift.community) != shift.local_date:
            faults.add(
                "starts_at", _("A recurring shift stays on its day. Cancel it, make another.")
            )
        if any(seat.state in (Seat.State.CHECKED_IN, Seat.State.CHECKED_OUT) for seat in seats):
            faults.add("starts_at", _("Somebody has checked in already."))
    check_duty(faults, duty)
    faults.stop()
    for name, value in duty.columns().items():
        setattr(shift, name, value)
    shift.starts_at, shift.ends_at = starts_at, ends_at
    shift.local_date = local_date(starts_at, shift.community)
    if moved:
        for member in members.values():
            require_free(member, shift, but=shift)
        for seat in seats:
            seat.starts_at, seat.ends_at = starts_at, ends_at
        Seat.objects.bulk_update(seats, ["starts_at", "ends_at"])
    seats = resize(shift, seats)
    shift.open_seats = sum(seat.state == Seat.State.OPEN for seat in seats)
    shift.save()
    work.audit("shift.change", shift, before=before, after=_facts(shift))
    events.record_shift(events.ShiftChanged, shift, members=sorted(members))
    return shift


def cancel_shift(*, shift_id: int, actor: Member, now: datetime) -> Shift:
    """Call a shift off and free its seats, as its captain.

    Raises NotFound, NotAllowed, ShiftGone, ShiftOver, SeatStepRefused (somebody is out).
    """
    work = current()
    shift, seats, members = _lock_whole(shift_id, actor)
    if now >= shift.ends_at:
        raise ShiftOver
    call_off(shift, seats, members)
    work.audit("shift.cancel", shift, before={"state": "scheduled"}, after={"state": "cancelled"})
    return shift


def _check_times(faults: Faults, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if ends_at <= starts_at:
        faults.add("ends_at", _("The end must be after the start."))
    elif ends_at - starts_at > LONGEST:
        faults.add("ends_at", _("A shift lasts at most 24 hours."))
    elif ends_at <= now:
        faults.add("ends_at", _("This time is over already."))
    elif starts_at > now + timedelta(days=2 * 366):
        faults.add("starts_at", _("This is more than two years away."))


def _lock_whole(shift_id: int, actor: Member) -> tuple[Shift, list[Seat], dict[int, Member]]:
    """Lock the holders, the shift and its seats, as its captain; the shift is scheduled.

    Raises NotFound, NotAllowed, ShiftGone, and DomainError `changed_meanwhile` when somebody
    sat down between the look and the lock.
    """
    seen = shift_visible_to(actor, shift_id)
    if not leads_shift(actor, seen):
        raise NotAllowed
    held = Seat.objects.filter(shift=seen, member__isnull=False)
    members = lock(Member.objects.all(), held.values_list("member_id", flat=True))
    shift = lock(Shift.objects.all(), [seen.pk]).get(seen.pk)
    if shift is None:
        raise NotFound
    shift.community = seen.community
    if shift.state == Shift.State.CANCELLED:
        raise ShiftGone
    ids = Seat.objects.filter(shift=shift).values_list("pk", flat=True)
    seats = sorted(lock(Seat.objects.all(), ids).values(), key=lambda seat: seat.index)
    if any(seat.member_id and seat.member_id not in members for seat in seats):
        raise DomainError(_("Somebody took a seat just now. Please look again."), code="try_again")
    return shift, seats, members


def _facts(shift: Shift) -> dict[str, Any]:
    """Return what the audit trail keeps of a shift; `by_hand` reads it by column."""
    return {
        **columns_of(shift),
        "community": shift.community_id,
        "cell": shift.cell_id,
        "starts_at": shift.starts_at.isoformat(),
        "ends_at": shift.ends_at.isoformat(),
    }
