"""What Today shows: the next duty and its one button, the last answer, and other doors."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from common.money import credits_text
from grids.people.models import Member, Role
from grids.people.rules import holds_on, today
from patrols.checkins.models import CheckIn
from patrols.checkins.queries import hours_of_seat, retypes_left
from patrols.checkins.verdict import OUT_AT_LATEST
from patrols.shifts.models import Seat, Shift
from timebank.earning.models import HourLog
from timebank.ledger.queries import account_of

# So long before the end the check-out is the one thing to do; before, leaving is the exception.
NEARLY_OVER = timedelta(minutes=10)
FRESH = timedelta(minutes=15)
_S = Seat.State


@dataclass(frozen=True)
class Duty:
    """The seat that a person is on, or will be on next.

    `phase`: "later" (check-in not open yet), "in" (check in now), "early" (there before the start,
    when nobody can check out yet), "on" (there, still some time to go), "out" (check out now).
    `turns_in` is seconds until the phase changes by itself.
    """

    seat: Seat
    phase: str
    turns_in: int | None
    opens_at: datetime
    team: list[Seat]
    captain: Member | None
    came: CheckIn | None


@dataclass(frozen=True)
class LastAnswer:
    """The check-in or check-out of the last minutes, and the hours that came of it."""

    checkin: CheckIn
    hours: HourLog | None
    retypes_left: int


def seats_ahead(member: Member, now: datetime, *, limit: int = 5) -> list[Seat]:
    """Return the member's unfinished seats, soonest first; one to check out of stays 12 hours."""
    waiting = Q(state__in=[_S.CLAIMED, _S.ASSIGNED, _S.NO_SHOW], ends_at__gt=now)
    there = Q(state=_S.CHECKED_IN, ends_at__gt=now - OUT_AT_LATEST)
    return list(
        Seat.objects.filter(waiting | there, member=member)
        .exclude(shift__state=Shift.State.CANCELLED)
        .select_related("shift__community", "shift__cell")
        .order_by("starts_at", "pk")[:limit]
    )


def duty_of(seat: Seat, member: Member, now: datetime) -> Duty:
    """Return everything that the card of this seat shows."""
    shift = seat.shift
    opens_at = shift.starts_at - timedelta(minutes=shift.early_minutes)
    nearly_over = shift.ends_at - NEARLY_OVER
    phase, turns_at = "in", None
    if seat.state == _S.CHECKED_IN and now < shift.starts_at:
        phase, turns_at = "early", shift.starts_at
    elif seat.state == _S.CHECKED_IN:
        phase, turns_at = ("on", nearly_over) if now < nearly_over else ("out", None)
    elif now < opens_at:
        phase, turns_at = "later", opens_at
    turns_in = None if turns_at is None else int((turns_at - now).total_seconds()) + 1
    # A browser's timer holds 24 days at most; whoever comes back sooner loads the page anyway.
    if turns_in is not None and turns_in > 24 * 3600:
        turns_in = None
    team = shift.seats.exclude(state=_S.OPEN).select_related("member").order_by("index")
    came = CheckIn.objects.filter(seat=seat, member=member, kind="in").first()
    return Duty(seat, phase, turns_in, opens_at, list(team), captain_of(shift), came)


def captain_of(shift: Shift) -> Member | None:
    """Return the captain to call: of the cell, else of the community, else of one above it."""
    lineage = [int(part) for part in shift.community.path.split("/") if part]
    roles = (
        Role.objects.filter(holds_on(today()), kind=Role.Kind.CAPTAIN, member__is_active=True)
        .filter(Q(cell__isnull=False, cell=shift.cell_id) | Q(community__in=lineage))
        .select_related("member", "community")
    )
    nearest = max(
        roles, key=lambda r: (len(r.community.path) if r.community else 1_000, -r.pk), default=None
    )
    return nearest.member if nearest else None


def last_answer(member: Member, now: datetime) -> LastAnswer | None:
    """Return what was recorded for this member in the last quarter of an hour."""
    checkin = CheckIn.objects.filter(member=member).order_by("-id").first()
    if checkin is None or now - checkin.received_at > FRESH:
        return None
    hours = None
    if checkin.kind == CheckIn.Kind.OUT:
        hours = hours_of_seat(checkin.seat_id).first()
    return LastAnswer(checkin, hours, retypes_left(checkin, now))


def purse_of(member: Member) -> dict[str, str]:
    """Return the member's balance, held and available credits as text, "0.00" without account."""
    account = account_of(member)
    return {
        "balance": credits_text(account.balance if account else 0),
        "held": credits_text(account.held if account else 0),
        "available": credits_text(account.available if account else 0),
    }
