"""Who sits where: claim, release, assign, and what check-ins do to a seat."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from http import HTTPStatus

from django.db import IntegrityError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member, MemberSkill
from patrols.shifts import events
from patrols.shifts.models import Seat, Shift
from patrols.shifts.queries import member_assignable, shift_visible_to
from patrols.shifts.rules import claims_close_at, leads_shift
from patrols.shifts.transitions import By, step

# Has a seat, and nothing was heard yet.
EXPECTED = (Seat.State.CLAIMED, Seat.State.ASSIGNED)


class ShiftFull(DomainError):
    """No seat of this shift is open."""

    code = "shift_full"
    detail = _("All seats are taken. Look for another shift nearby.")


class OverlappingShift(DomainError):
    """The member holds a seat at the same time; `data` names that shift."""

    code = "overlapping_shift"
    detail = _("There is another shift at the same time. Release it first.")


class AlreadyClaimed(DomainError):
    """The member holds a seat of this very shift."""

    code = "already_claimed"
    detail = _("This seat is already yours.")


class RestTooShort(DomainError):
    """Too little time lies between this and another shift of the member."""

    code = "rest_too_short"
    detail = _("There is too little rest between this shift and another one.")


class MissingSkill(DomainError):
    """The shift needs skills that the member has not; `data` lists their codes."""

    code = "missing_skill"
    status = HTTPStatus.FORBIDDEN
    detail = _("This shift needs a skill that is not on record. Please ask your captain.")


class ShiftStarted(DomainError):
    """It has begun: a volunteer can no longer join or leave by themselves."""

    code = "shift_started"
    detail = _("This shift has already started. Please call your captain.")


class ShiftOver(DomainError):
    """It has ended: nobody can be assigned any more."""

    code = "shift_over"
    detail = _("This shift is over.")


class ShiftGone(DomainError):
    """The shift was cancelled."""

    code = "shift_cancelled"
    detail = _("This shift was cancelled.")


class NotYourSeat(DomainError):
    """The member holds no seat of this shift."""

    code = "not_your_seat"
    detail = _("There is no seat to release in this shift.")


def claim_seat(*, shift_id: int, actor: Member, now: datetime) -> Seat:
    """Give the actor the first open seat of a shift.

    Raises NotFound, ShiftGone, ShiftStarted, AlreadyClaimed, OverlappingShift, RestTooShort,
    MissingSkill, ShiftFull. Closes when a check-in would no longer count as on time.
    """
    current()
    seen = shift_visible_to(actor, shift_id)
    _lock_members([actor.pk])
    shift = _lock_shift(seen)
    _require_scheduled(shift)
    if now > claims_close_at(shift):
        raise ShiftStarted
    _require_fit(actor, shift)
    return _fill(shift, actor, Seat.State.CLAIMED, by=By.HOLDER, now=now)


def assign_seat(*, shift_id: int, member_id: int, actor: Member, now: datetime) -> Seat:
    """Give a member an open seat, as the shift's captain, until the shift ends.

    Anybody of the shift's community, or whom the captain sees otherwise. Raises NotFound (also
    for anybody else), NotAllowed, ShiftGone, ShiftOver, and what `claim_seat` raises about the
    member.
    """
    current()
    seen = shift_visible_to(actor, shift_id)
    if not leads_shift(actor, seen):
        raise NotAllowed
    member = member_assignable(actor, seen, member_id)
    _lock_members([member.pk])
    shift = _lock_shift(seen)
    _require_scheduled(shift)
    if now >= shift.ends_at:
        raise ShiftOver
    _require_fit(member, shift)
    return _fill(shift, member, Seat.State.ASSIGNED, by=By.CAPTAIN, now=now)


def release_seat(
    *, shift_id: int, actor: Member, now: datetime, member_id: int | None = None
) -> Seat:
    """Open a seat again: one's own before the start, or anybody's as the shift's captain.

    After the end nobody does: evidence may still be on its way from a phone without a net.
    Raises NotFound, NotAllowed, NotYourSeat, ShiftStarted, ShiftOver, SeatStepRefused (already
    checked in).
    """
    current()
    seen = shift_visible_to(actor, shift_id)
    captain = leads_shift(actor, seen)
    holder = member_id or actor.pk
    if holder != actor.pk and not captain:
        raise NotAllowed
    members = _lock_members([holder])
    shift = _lock_shift(seen)
    _require_scheduled(shift)
    held = Seat.objects.filter(shift=shift, member_id=holder).values_list("pk", flat=True)
    seat = next(iter(lock(Seat.objects.all(), held).values()), None)
    if seat is None:
        raise NotYourSeat
    seat.shift = shift
    if now >= shift.starts_at and not captain:
        raise ShiftStarted
    if now >= shift.ends_at:
        raise ShiftOver
    free_seat(seat, shift, members[holder], by=By.CAPTAIN if captain else By.HOLDER)
    return seat


def free_seat(seat: Seat, shift: Shift, member: Member, *, by: By) -> None:
    """Open a locked seat of a locked shift; update, audit, record."""
    before = str(seat.state)
    step(seat, Seat.State.OPEN, by=by)
    seat.member, seat.locked, seat.taken_at = None, False, None
    seat.save(update_fields=["state", "member", "locked", "taken_at"])
    shift.open_seats += 1
    shift.save(update_fields=["open_seats"])
    current().audit(
        "seat.release",
        seat,
        before={"state": before, "member": member.pk},
        after={"state": "open"},
    )
    events.record_seat(events.SeatReleased, seat, shift, member=member)


def release_coming_seats(member: Member, now: datetime) -> None:
    """Open the seats of a member who leaves (an eraser); the caller has locked the member.

    What has been checked in or missed stays as history.
    """
    coming = Seat.objects.filter(member=member, ends_at__gt=now, state__in=EXPECTED).values_list(
        "pk", "shift_id"
    )
    shift_of = dict(coming)
    shifts = lock(Shift.objects.all(), shift_of.values())
    for seat in lock(Seat.objects.all(), shift_of).values():
        if seat.member_id == member.pk and seat.state in EXPECTED:
            free_seat(seat, shifts[seat.shift_id], member, by=By.SYSTEM)


def mark_checked_in(*, seat: Seat, actor: Member | None, now: datetime) -> None:
    """Note that the holder is there; the caller has locked member, shift and seat.

    A check-in that arrives after the check-out (a phone without a net) leaves the seat checked
    out. Raises SeatStepRefused, OverlappingShift.
    """
    if seat.state == Seat.State.CHECKED_OUT:
        return
    _mark(seat, Seat.State.CHECKED_IN, events.SeatCheckedIn, actor)


def mark_checked_out(*, seat: Seat, actor: Member | None, now: datetime) -> None:
    """Note that the holder has finished; the caller has locked member, shift and seat.

    Raises SeatStepRefused, OverlappingShift.
    """
    _mark(seat, Seat.State.CHECKED_OUT, events.SeatCheckedOut, actor)


def mark_no_show(*, seat: Seat, actor: Member | None, now: datetime) -> None:
    """Note that the holder did not come; captains and the system only; the caller has locked.

    Raises NotAllowed, SeatStepRefused, and `too_early` while a check-in would be on time.
    """
    if actor is not None and not leads_shift(actor, seat.shift):
        raise NotAllowed
    if now < claims_close_at(seat.shift):
        raise DomainError(_("They may still come in time."), code="too_early")
    _mark(seat, Seat.State.NO_SHOW, events.SeatNoShow, actor)


def close_missed_seats(*, shift_id: int, now: datetime) -> int:
    """Mark everybody of an ended shift who never checked in as absent (the system); how many.

    Evidence that reaches us later still counts (see transitions). Running it again does nothing.
    """
    current()
    waiting = Seat.objects.filter(shift=shift_id, state__in=EXPECTED)
    members = lock(Member.objects.all(), waiting.values_list("member_id", flat=True))
    shift = lock(Shift.objects.all(), [shift_id]).get(shift_id)
    if shift is None or shift.state == Shift.State.CANCELLED or now < shift.ends_at:
        return 0
    seats = lock(Seat.objects.all(), waiting.values_list("pk", flat=True))
    closed = 0
    for seat in seats.values():
        # Whoever was seated after the look at the members comes with the next run.
        if seat.state in EXPECTED and seat.member_id in members:
            seat.shift, seat.member = shift, members[seat.member_id]
            mark_no_show(seat=seat, actor=None, now=now)
            closed += 1
    return closed


def _mark(seat: Seat, to: str, event: type[events.SeatEvent], actor: Member | None) -> None:
    member = seat.member
    if member is None:
        raise NotYourSeat
    before = str(seat.state)
    step(seat, to, by=_part_of(actor, member))
    try:
        seat.save(update_fields=["state"])
    except IntegrityError as error:
        # Late evidence for a missed shift, from somebody who sat elsewhere at that time.
        raise OverlappingShift(member=member.pk) from error
    current().audit(event.type, seat, before={"state": before}, after={"state": str(to)})
    events.record_seat(event, seat, seat.shift, member=member)


def _part_of(actor: Member | None, holder: Member) -> By:
    if actor is None:
        return By.SYSTEM
    return By.HOLDER if actor.pk == holder.pk else By.CAPTAIN


def _lock_members(ids: Iterable[int]) -> dict[int, Member]:
    """Lock members: it is what keeps one person from taking two overlapping seats at once."""
    found = lock(Member.objects.filter(is_active=True, erased_at=None), ids)
    if len(found) != len(set(ids)):
        raise NotFound
    return found


def _lock_shift(seen: Shift) -> Shift:
    """Lock the shift and return it fresh, with the community and cell already at hand."""
    shift = lock(Shift.objects.all(), [seen.pk])[seen.pk]
    shift.community = seen.community
    if shift.cell_id == seen.cell_id:
        shift.cell = seen.cell
    return shift


def _require_scheduled(shift: Shift) -> None:
    if shift.state == Shift.State.CANCELLED:
        raise ShiftGone


def _require_fit(member: Member, shift: Shift) -> None:
    """Check the member's other seats and skills against a shift, all under the member's lock."""
    require_free(member, shift)
    if shift.required_skills:
        missing = missing_skills(member, shift)
        if missing:
            raise MissingSkill(skills=missing)


def require_free(member: Member, shift: Shift, *, but: Shift | None = None) -> None:
    """Check that a locked member has no other seat (in `but` it may be) too near to a shift.

    Raises AlreadyClaimed, OverlappingShift, RestTooShort; `data` names the other shift. A seat
    that the member missed blocks nothing else.
    """
    rest = timedelta(minutes=shift.community.least_rest_minutes)
    near = Seat.objects.filter(
        Q(shift=shift) | Q(ends_at__gt=shift.starts_at - rest, starts_at__lt=shift.ends_at + rest),
        member=member,
    )
    if but is not None:
        near = near.exclude(shift=but)
    seats = list(near.values_list("shift_id", "starts_at", "ends_at", "state"))
    if any(shift_id == shift.pk for shift_id, *_rest in seats):
        raise AlreadyClaimed
    held = [row for row in seats if row[3] != Seat.State.NO_SHOW]
    for shift_id, starts_at, ends_at, _state in held:
        if ends_at > shift.starts_at and starts_at < shift.ends_at:
            raise OverlappingShift(shift=shift_id, member=member.pk)
    if held:
        raise RestTooShort(
            shift=held[0][0],
            member=member.pk,
            least_rest_minutes=shift.community.least_rest_minutes,
        )


def missing_skills(member: Member, shift: Shift) -> list[str]:
    """Return the codes of the skills that the member lacks on the shift's date."""
    has = MemberSkill.objects.filter(
        Q(expires_on__isnull=True) | Q(expires_on__gte=shift.local_date),
        member=member,
        skill__code__in=shift.required_skills,
    ).values_list("skill__code", flat=True)
    return sorted(set(shift.required_skills) - set(has))


def _fill(shift: Shift, member: Member, state: str, *, by: By, now: datetime) -> Seat:
    """Seat the member in the first open seat of a locked shift; update, audit, record."""
    seat = (
        Seat.objects.filter(shift=shift, state=Seat.State.OPEN)
        .order_by("index")
        .select_for_update(no_key=True)
        .first()
    )
    if seat is None:
        raise ShiftFull
    seat.shift = shift
    seat_member(seat, shift, member, state, by=by, now=now)
    return seat


def seat_member(
    seat: Seat, shift: Shift, member: Member, state: str, *, by: By, now: datetime
) -> None:
    """Give a locked open seat of a locked shift to a locked member; update, audit, record."""
    step(seat, state, by=by)
    seat.member, seat.taken_at = member, now
    try:
        seat.save(update_fields=["state", "member", "taken_at"])
    except IntegrityError as error:
        # The database's own guard; the locks let nothing come this far.
        raise OverlappingShift from error
    shift.open_seats -= 1
    shift.save(update_fields=["open_seats"])
    event = events.SeatClaimed if state == Seat.State.CLAIMED else events.SeatAssigned
    current().audit(
        "seat.claim" if state == Seat.State.CLAIMED else "seat.assign",
        seat,
        before={"state": "open"},
        after={"state": str(state), "member": member.pk},
    )
    events.record_seat(event, seat, shift, member=member)
