"""Ask for a plan, solve it, apply it; and say when one can come."""

import math
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.utils.translation import gettext as _

from common.errors import BadInput, NotAllowed
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from grids.places.models import Community
from patrols.rosters import events
from patrols.rosters.models import (
    Availability,
    AvailabilityException,
    Limits,
    RosterRun,
    RosterSeat,
)
from patrols.rosters.problem import Problem
from patrols.rosters.queries import run_visible_to
from patrols.rosters.solution import Solution
from patrols.rosters.transitions import step
from patrols.shifts.queries import community_visible_to
from patrols.shifts.rules import leads
from patrols.shifts.services import seat_planned

MOST_DAYS = 7
MOST_SECONDS = 600
MOST_WINDOWS = 50


def ask_roster(
    *,
    community_id: int,
    from_on: date,
    days: int,
    seconds: float,
    seed: int,
    actor: Member,
    now: datetime,
) -> RosterRun:
    """Note that a plan is wanted, as captain of the community; the caller enqueues its solving.

    Raises NotFound, NotAllowed, BadInput (by field).
    """
    current()
    community = community_visible_to(actor, community_id)
    if not leads(actor, community=community, cell=None):
        raise NotAllowed
    return new_run(
        community=community,
        from_on=from_on,
        days=days,
        seconds=seconds,
        seed=seed,
        actor=actor,
        now=now,
    )


def new_run(
    *,
    community: Community,
    from_on: date,
    days: int,
    seconds: float,
    seed: int,
    actor: Member | None,
    now: datetime,
) -> RosterRun:
    """Note a run for the system (actor None) or for an actor whose right was checked.

    Raises BadInput.
    """
    errors: dict[str, list[str]] = {}
    if not 1 <= days <= MOST_DAYS:
        errors["days"] = [
            _("A plan covers 1 to 7 days, so that weekly limits hold. Plan the next week after it.")
        ]
    if not 0 < seconds <= MOST_SECONDS:
        errors["seconds"] = [_("Give 1 to 600 seconds.")]
    if abs((from_on - now.date()).days) > 400:
        errors["from"] = [_("This date is too far away.")]
    if errors:
        raise BadInput(errors)
    run = RosterRun.objects.create(
        community=community,
        asked_by=actor,
        from_on=from_on,
        days=days,
        seed=seed,
        seconds_allowed=seconds,
        asked_at=now,
    )
    current().audit("roster.ask", run, after={"from": from_on.isoformat(), "days": days})
    return run


def start_run(*, run_id: int, now: datetime) -> RosterRun:
    """Mark a run as being solved. Raises RunStepRefused when it is done already."""
    current()
    run = _locked_run(run_id)
    step(run, RosterRun.State.RUNNING, by="system")
    run.save(update_fields=["state"])
    return run


def finish_run(*, run_id: int, problem: Problem, solution: Solution, now: datetime) -> RosterRun:
    """Keep the plan of a running run and tell the captains. Raises RunStepRefused."""
    work = current()
    run = _locked_run(run_id)
    step(run, RosterRun.State.READY, by="system")
    locked = {seat.id for seat in problem.seats if seat.locked is not None}
    run.seats_total = len(problem.seats)
    run.seats_filled = len(solution.seats)
    run.objective = solution.objective
    run.bound = math.ceil(solution.bound - 1e-6) if math.isfinite(solution.bound) else None
    run.gap = solution.gap if math.isfinite(solution.gap) else None
    run.seconds = solution.seconds
    run.measures = {
        "terms": solution.terms,
        "method": solution.method,
        "cut_off": solution.cut_off,
        "members": len(problem.members),
        "held_before": len(locked),
    }
    run.ready_at = now
    run.save()
    rows = [
        RosterSeat(
            run=run,
            seat_id=seat,
            member_id=member,
            why={"home_cell": solution.why[seat].home_cell, "load": solution.why[seat].load},
        )
        for seat, member in sorted(solution.seats.items())
        if seat not in locked
    ]
    rows += [
        RosterSeat(run=run, seat_id=one.seat, why={"code": one.reason.code, **one.reason.data})
        for one in solution.open
    ]
    RosterSeat.objects.bulk_create(rows, batch_size=1000)
    work.audit("roster.ready", run, after={"total": run.seats_total, "filled": run.seats_filled})
    events.record_run(run)
    return run


def fail_run(*, run_id: int, error: str, now: datetime) -> RosterRun:
    """Note that solving broke off; `error` is shown to the captain. Raises RunStepRefused."""
    work = current()
    run = _locked_run(run_id)
    step(run, RosterRun.State.FAILED, by="system")
    run.error = error[:2000]
    run.ready_at = now
    run.save(update_fields=["state", "error", "ready_at"])
    work.audit("roster.fail", run, after={"error": run.error})
    events.record_run(run)
    return run


def apply_run(*, run_id: int, actor: Member, now: datetime) -> RosterRun:
    """Assign what a ready plan says, as captain of its community, all in this unit of work.

    Seats that changed meanwhile are left as they are and noted in `measures["skipped"]` as
    {seat, reason}. Raises NotFound, NotAllowed, RunStepRefused.
    """
    run = run_visible_to(actor, run_id)
    if not leads(actor, community=run.community, cell=None):
        raise NotAllowed
    return apply_plan(run_id=run.pk, actor=actor, now=now)


def apply_plan(*, run_id: int, actor: Member | None, now: datetime) -> RosterRun:
    """Apply for the system (actor None) or for an actor whose right was checked."""
    work = current()
    run = _locked_run(run_id)
    step(run, RosterRun.State.APPLIED, by="captain" if actor else "system")
    plan = {
        seat: member
        for seat, member in RosterSeat.objects.filter(run=run, member__isnull=False).values_list(
            "seat_id", "member_id"
        )
        if member is not None
    }
    skipped = seat_planned(plan=plan, community=run.community, actor=actor, now=now)
    run.applied_at = now
    run.measures = {
        **run.measures,
        "assigned": len(plan) - len(skipped),
        "skipped": [{"seat": seat, "reason": why} for seat, why in sorted(skipped.items())],
    }
    run.save(update_fields=["state", "applied_at", "measures"])
    work.audit("roster.apply", run, after={"assigned": len(plan) - len(skipped)})
    events.record_run(run)
    return run


@dataclass(frozen=True)
class WindowInput:
    """A weekly window; `until` at or before `since` runs past midnight."""

    weekday: int
    since: time
    until: time


@dataclass(frozen=True)
class ExceptionInput:
    """A date that differs from the week; no times: the whole day."""

    on: date
    available: bool = False
    since: time | None = None
    until: time | None = None


def set_availability(
    *,
    actor: Member,
    now: datetime,
    windows: list[WindowInput] | None = None,
    exceptions: list[ExceptionInput] | None = None,
    limits: dict[str, Any] | None = None,
) -> None:
    """Replace what the actor said of when and how often they can come; None keeps a part.

    `limits` has names of the model Limits but `experienced`, which a captain grants.
    Raises BadInput.
    """
    work = current()
    lock(Member.objects.all(), [actor.pk])
    if windows is not None:
        _check_windows(windows)
        Availability.objects.filter(member=actor).delete()
        Availability.objects.bulk_create(
            Availability(
                member=actor, weekday=one.weekday, from_time=one.since, until_time=one.until
            )
            for one in windows
        )
    if exceptions is not None:
        if len(exceptions) > MOST_WINDOWS:
            raise BadInput({"exceptions": [_("These are too many dates.")]})
        if any((one.since is None) != (one.until is None) for one in exceptions):
            raise BadInput({"exceptions": [_("Give both times, or none for the whole day.")]})
        AvailabilityException.objects.filter(member=actor).delete()
        AvailabilityException.objects.bulk_create(
            AvailabilityException(
                member=actor,
                on=one.on,
                available=one.available,
                from_time=one.since,
                until_time=one.until,
            )
            for one in exceptions
        )
    if limits is not None or windows is not None:
        Limits.objects.update_or_create(
            member=actor,
            defaults={name: value for name, value in (limits or {}).items() if name in _LIMITS},
        )
    work.audit(
        "availability.set",
        actor,
        after={"windows": None if windows is None else len(windows), "limits": limits},
    )


def forget_availability(member: Member, now: datetime) -> None:
    """Remove what a member who leaves said of their time (an eraser)."""
    for model in (Availability, AvailabilityException, Limits):
        model.objects.filter(member=member).delete()


_LIMITS = {
    "most_shifts_a_week", "most_minutes_a_week", "most_days_in_a_row", "neighbouring_cells",
}  # fmt: skip


def _check_windows(windows: list[WindowInput]) -> None:
    if len(windows) > MOST_WINDOWS:
        raise BadInput({"windows": [_("These are too many windows.")]})
    if len({(one.weekday, one.since) for one in windows}) < len(windows):
        raise BadInput({"windows": [_("Two windows of a day begin at the same time.")]})


def _locked_run(run_id: int) -> RosterRun:
    run = lock(RosterRun.objects.all(), [run_id])[run_id]
    run.community = Community.objects.get(pk=run.community_id)
    return run
