"""Check in and out: weigh the evidence, move the seat, log and pay the hours, in one commit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from patrols.checkins import queries
from patrols.checkins.models import CheckIn
from patrols.checkins.queries import SOURCE
from patrols.checkins.verdict import (
    Evidence,
    Judgement,
    Position,
    Window,
    judge,
    judge_code_again,
    minutes_worked,
)
from patrols.checkins.verdict import same_code as code_is
from patrols.shifts.models import Seat, Shift
from patrols.shifts.services import mark_checked_in, mark_checked_out
from timebank.earning.models import HourLog
from timebank.earning.services import log_hours, revise_pending_hours


class NotYourSeat(DomainError):
    """The seat is open or somebody else's."""

    code = "not_your_seat"
    detail = _("This seat is not yours. Look at Today for your own shift.")


class TooEarly(DomainError):
    """It occurred before the check-in opens; `opens_at` says when it does."""

    code = "too_early"
    detail = _("It is too early. Come back shortly before the start.")


class TooLate(DomainError):
    """It occurred when the shift was over."""

    code = "too_late"
    detail = _("The time for this has passed. Please tell your captain.")


class AlreadyCheckedIn(DomainError):
    """The same step was recorded before, under another key."""

    code = "already_checked_in"
    detail = _("This has already been recorded. There is nothing more to do.")


class CodeSettled(DomainError):
    """No wrong code, or typed too often or too long ago, or the hours were decided."""

    code = "code_settled"
    detail = _("The code can no longer be changed. If something is not right, tell your captain.")


@dataclass(frozen=True)
class Recorded:
    """A check-in, and with a check-out the hours that came of it (None where none did)."""

    checkin: CheckIn
    hours: HourLog | None = None


def check_in(
    *,
    actor: Member,
    seat_id: int,
    kind: str,
    occurred_at: datetime | None,
    lat: float | None,
    lon: float | None,
    accuracy_m: float | None,
    code: str,
    now: datetime,
) -> Recorded:
    """Record that the actor came (`in`) or finished (`out`); judged by `occurred_at`.

    A check-out logs the minutes between in and out within the shift, rounded to the nearest; with
    both verdicts accepted they are trusted, and where the community approves such hours at once
    their credits are posted in this commit. Without a check-in they count from the shift's start
    and always wait for a reviewer.
    Raises NotFound, NotYourSeat, AlreadyCheckedIn, TooEarly, TooLate, OverlappingShift.
    """
    current()
    seen = queries.seat_visible_to(actor, seat_id)
    if seen.member_id != actor.pk:
        raise NotYourSeat
    seat = _locked(seen, actor)
    shift = seat.shift
    done = queries.checkins_of_seat(seat, actor)
    reached = {"in": Seat.State.CHECKED_IN, "out": Seat.State.CHECKED_OUT}[kind]
    if kind in done or seat.state == reached:
        raise AlreadyCheckedIn
    evidence = _evidence(
        shift, kind, done,
        occurred_at=occurred_at or now, lat=lat, lon=lon, accuracy_m=accuracy_m, code=code, now=now,
    )  # fmt: skip
    judgement = judge(_window(shift), evidence)
    _require_in_time(shift, judgement)
    checkin = _write(seat, actor, evidence, judgement, lat=lat, lon=lon)
    done[kind] = checkin
    if kind == "in":
        mark_checked_in(seat=seat, actor=actor, now=now)
        if "out" in done:
            _revise(seat, actor, done, now=now)
        return Recorded(checkin)
    mark_checked_out(seat=seat, actor=actor, now=now)
    return Recorded(checkin, _log(seat, actor, done, now=now))


def retype_code(*, checkin_id: int, code: str, actor: Member, now: datetime) -> Recorded:
    """Judge the actor's own check-in again with the code as they meant to type it.

    Its time and position stay as they were, and what was found about the time. Hours that it
    already gave get the new evidence and wait on for their reviewer; once they are decided, the
    evidence of that decision stays. Raises NotFound, NotYourSeat, CodeSettled.
    """
    work = current()
    seen = (
        CheckIn.objects.filter(pk=checkin_id, member=actor)
        .select_related("seat__shift__community", "seat__shift__cell")
        .first()
    )
    if seen is None:
        raise NotFound
    seat = _locked(seen.seat, actor)
    done = queries.checkins_of_seat(seat, actor)
    checkin = done[seen.kind]
    # Whoever decides on the hours waits for this change, or it for their decision.
    lock(HourLog.objects.all(), queries.hours_of_seat(seat.pk).values_list("pk", flat=True))
    if not queries.retypes_left(checkin, now):
        raise CodeSettled
    position = None
    if checkin.lat is not None:
        position = Position(distance_m=checkin.distance_m, accuracy_m=checkin.accuracy_m)
    judgement = judge_code_again(
        checkin.reasons, position=position, code_right=code_is(code, seat.shift.meeting_code)
    )
    before = {"verdict": str(checkin.verdict), "reasons": checkin.reasons}
    checkin.retypes += 1
    checkin.method, checkin.verdict = judgement.method, judgement.verdict
    checkin.reasons = list(judgement.reasons)
    checkin.save(update_fields=["retypes", "method", "verdict", "reasons"])
    work.audit(
        "checkin.code",
        checkin,
        before=before,
        after={"verdict": checkin.verdict, "reasons": checkin.reasons, "try": checkin.retypes},
    )
    hours = _logged(seat)
    if hours is not None:
        hours = _revise(seat, actor, done, now=now) or hours
    return Recorded(checkin, hours if checkin.kind == "out" else None)


def log_forgotten(*, seat_id: int, now: datetime) -> HourLog | None:
    """Log the hours of somebody who came and never checked out: up to the end, for a reviewer.

    The seat stays checked in; a check-out that still arrives corrects the waiting hours. Does
    nothing, and returns None, where hours were logged or there is nothing to count.
    """
    current()
    seen = Seat.objects.select_related("shift__community", "shift__cell").get(pk=seat_id)
    holder = seen.member
    if holder is None:
        return None
    seat = _locked(seen, holder)
    done = queries.checkins_of_seat(seat, holder)
    if seat.state != Seat.State.CHECKED_IN or "in" not in done or _logged(seat) is not None:
        return None
    return _log_minutes(seat, holder, done, trusted=False, actor=None, now=now)


def erase_positions(*, before: datetime) -> int:
    """Forget where people stood, for check-ins received before this instant; return how many.

    Time, method, distance and verdict stay: they are the evidence of the hours.
    """
    current()
    return CheckIn.objects.filter(received_at__lt=before, lat__isnull=False).update(
        lat=None, lon=None, accuracy_m=None
    )


def erase_positions_of(member: Member, now: datetime) -> None:
    """Forget every position of a member (part of erasure)."""
    current()
    CheckIn.objects.filter(member=member).update(
        lat=None, lon=None, accuracy_m=None, distance_m=None
    )


def position_keep_time() -> timedelta:
    """Return how long positions are kept (LINLI_POSITION_KEEP_DAYS)."""
    return timedelta(days=settings.POSITION_KEEP_DAYS)


def _locked(seen: Seat, actor: Member) -> Seat:
    """Lock member, shift and seat; return the seat fresh, with everything at hand."""
    member = lock(Member.objects.all(), [actor.pk])[actor.pk]
    shift = lock(Shift.objects.all(), [seen.shift_id])[seen.shift_id]
    seat = lock(Seat.objects.all(), [seen.pk])[seen.pk]
    if seat.member_id != actor.pk:
        raise NotYourSeat
    shift.community = seen.shift.community
    if shift.cell_id == seen.shift.cell_id:
        shift.cell = seen.shift.cell
    seat.shift, seat.member = shift, member
    return seat


def _window(shift: Shift) -> Window:
    return Window(
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        early_minutes=shift.early_minutes,
        late_minutes=shift.late_minutes,
    )


def _evidence(
    shift: Shift,
    kind: str,
    done: dict[str, CheckIn],
    *,
    occurred_at: datetime,
    lat: float | None,
    lon: float | None,
    accuracy_m: float | None,
    code: str,
    now: datetime,
) -> Evidence:
    position = None
    if lat is not None and lon is not None:
        metres = queries.metres_from_place(shift, lat=lat, lon=lon)
        position = Position(distance_m=metres, accuracy_m=accuracy_m)
    other = done.get("out" if kind == "in" else "in")
    return Evidence(
        kind="in" if kind == "in" else "out",
        occurred_at=occurred_at,
        received_at=now,
        position=position,
        code_right=code_is(code, shift.meeting_code) if code.strip() else None,
        other_at=other.occurred_at if other else None,
    )


def _require_in_time(shift: Shift, judgement: Judgement) -> None:
    if judgement.refusal == "too_early":
        opens_at = shift.starts_at - timedelta(minutes=shift.early_minutes)
        raise TooEarly(opens_at=opens_at.isoformat())
    if judgement.refusal == "too_late":
        raise TooLate(ended_at=shift.ends_at.isoformat())


def _write(
    seat: Seat,
    actor: Member,
    evidence: Evidence,
    judgement: Judgement,
    *,
    lat: float | None,
    lon: float | None,
) -> CheckIn:
    position = evidence.position
    checkin = CheckIn.objects.create(
        seat=seat,
        member=actor,
        kind=evidence.kind,
        occurred_at=evidence.occurred_at,
        received_at=evidence.received_at,
        lat=lat if position else None,
        lon=lon if position else None,
        accuracy_m=position.accuracy_m if position else None,
        distance_m=position.distance_m if position else None,
        method=judgement.method,
        verdict=judgement.verdict,
        reasons=list(judgement.reasons),
    )
    current().audit(
        f"checkin.{evidence.kind}",
        checkin,
        after={
            "seat": seat.pk,
            "verdict": checkin.verdict,
            "reasons": checkin.reasons,
            "occurred_at": evidence.occurred_at.isoformat(),
        },
    )
    return checkin


def _minutes(shift: Shift, done: dict[str, CheckIn]) -> int:
    """Count from the check-in to the check-out; where one is missing, from start or to end."""
    came, left = done.get("in"), done.get("out")
    return minutes_worked(
        _window(shift),
        came.occurred_at if came else None,
        left.occurred_at if left else shift.ends_at,
    )


def _logged(seat: Seat) -> HourLog | None:
    return queries.hours_of_seat(seat.pk).first()


def _log(seat: Seat, actor: Member, done: dict[str, CheckIn], *, now: datetime) -> HourLog | None:
    """Log the hours of a check-out; none where no whole minute lies between in and out.

    Hours that were logged because nobody checked out are corrected while they wait.
    """
    logged = _logged(seat)
    if logged is not None:
        return _revise(seat, actor, done, now=now) or logged
    accepted = [row.verdict == CheckIn.Verdict.ACCEPTED for row in done.values()]
    trusted = len(accepted) == 2 and all(accepted)
    return _log_minutes(seat, actor, done, trusted=trusted, actor=actor, now=now)


def _log_minutes(
    seat: Seat,
    holder: Member,
    done: dict[str, CheckIn],
    *,
    trusted: bool,
    actor: Member | None,
    now: datetime,
) -> HourLog | None:
    shift, minutes = seat.shift, _minutes(seat.shift, done)
    if minutes == 0:
        return None
    return log_hours(
        member=seat.member or holder,
        community=shift.community,
        category=shift.category,
        title=shift.title,
        worked_on=shift.local_date,
        minutes=minutes,
        source_type=SOURCE,
        source_id=seat.pk,
        evidence=_summary(shift, done),
        trusted=trusted,
        actor=actor,
        now=now,
    )


def _revise(
    seat: Seat, actor: Member, done: dict[str, CheckIn], *, now: datetime
) -> HourLog | None:
    """Count waiting hours anew with evidence that reached us late; None where none wait."""
    return revise_pending_hours(
        source_type=SOURCE,
        source_id=seat.pk,
        minutes=_minutes(seat.shift, done),
        evidence=_summary(seat.shift, done),
        actor=actor,
        now=now,
    )


def _summary(shift: Shift, done: dict[str, CheckIn]) -> dict[str, Any]:
    """Say for a reviewer what both check-ins prove; no positions, which are erased by schedule."""
    return {
        "shift": shift.pk,
        "starts_at": shift.starts_at.isoformat(),
        "ends_at": shift.ends_at.isoformat(),
        **{
            kind: {
                "at": row.occurred_at.isoformat(),
                "received_at": row.received_at.isoformat(),
                "method": str(row.method),
                "verdict": str(row.verdict),
                "reasons": row.reasons,
                "distance_m": None if row.distance_m is None else round(row.distance_m),
            }
            for kind, row in sorted(done.items())
        },
    }
