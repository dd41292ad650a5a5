"""Plans as captains may see them, and what a member said of their time."""

from typing import Any

from django.db.models import Q, QuerySet

from common.errors import NotFound
from grids.people.models import Member
from grids.people.rules import roles_of
from grids.places.models import Community
from patrols.rosters.models import (
    Availability,
    AvailabilityException,
    Limits,
    RosterRun,
    RosterSeat,
)
from patrols.rosters.wording import reason_text, skipped_text
from patrols.shifts.rules import CAPTAINS


def communities_led_by(actor: Member) -> QuerySet[Community]:
    """Return the communities, with all below them, of which the actor is captain."""
    scopes = [
        role.community
        for role in roles_of(actor)
        if role.kind in CAPTAINS and role.community is not None
    ]
    led = Q(pk__in=[])
    for scope in scopes:
        led |= Q(path__startswith=scope.path)
    return Community.objects.filter(led).order_by("path")


def runs_visible_to(actor: Member) -> QuerySet[RosterRun]:
    """Return the plans of the communities that the actor leads, newest first."""
    return RosterRun.objects.filter(community__in=communities_led_by(actor)).order_by("-pk")


def run_visible_to(actor: Member, run_id: int) -> RosterRun:
    """Return the run with its community, or raise NotFound."""
    run = runs_visible_to(actor).select_related("community").filter(pk=run_id).first()
    if run is None:
        raise NotFound
    return run


def runs_covering(actor: Member) -> QuerySet[RosterRun]:
    """Return the plans on the actor's pages, newest first: their own, and finished ones made above.

    A district's plan covers its communities too; `led_part` says what of it their captain sees.
    """
    led = list(communities_led_by(actor))
    above = {int(part) for one in led for part in one.path.split("/") if part}
    done = Q(state__in=[RosterRun.State.READY, RosterRun.State.APPLIED])
    return RosterRun.objects.filter(Q(community__in=led) | Q(done, community__in=above)).order_by(
        "-pk"
    )


def run_covering(actor: Member, run_id: int) -> RosterRun:
    """Return a run of `runs_covering` with its community, or raise NotFound."""
    run = runs_covering(actor).select_related("community").filter(pk=run_id).first()
    if run is None:
        raise NotFound
    return run


def led_part(actor: Member, run: RosterRun) -> list[Community] | None:
    """Return the led communities in a plan that was made above them; None: the plan is theirs."""
    led = list(communities_led_by(actor))
    if run.community in led:
        return None
    return [one for one in led if one.path.startswith(run.community.path)]


def run_data(run: RosterRun, part: list[Community] | None = None) -> dict[str, Any]:
    """Return a run with every seat it plans or leaves open, and why; two queries.

    With `part` only the seats of these communities.
    """
    planned, empty = [], []
    for row in planned_rows(run, part).order_by("seat__starts_at", "seat"):
        place = {"seat": row.seat_id, "shift": row.seat.shift_id}
        if row.member is None:
            empty.append({**place, "reason": row.why["code"], "text": reason_text(row.why)})
        else:
            member = {"id": row.member.pk, "name": row.member.display_name}
            planned.append({**place, "member": member, "why": row.why})
    return {**run_row(run), "planned": planned, "open": empty}


def planned_rows(run: RosterRun, part: list[Community] | None = None) -> QuerySet[RosterSeat]:
    """Return what a plan says of each seat, of these communities or all."""
    rows = run.planned.select_related("member", "seat__shift__cell")
    return rows if part is None else rows.filter(seat__shift__community__in=part)


def run_row(run: RosterRun) -> dict[str, Any]:
    """Return a run's figures."""
    return {
        "id": run.pk,
        "community": run.community_id,
        "from": run.from_on,
        "days": run.days,
        "state": str(run.state),
        "seats_total": run.seats_total,
        "seats_filled": run.seats_filled,
        "objective": run.objective,
        "bound": run.bound,
        "gap": run.gap,
        "seconds": run.seconds,
        "method": run.measures.get("method"),
        "cut_off": run.measures.get("cut_off"),
        "assigned": run.measures.get("assigned"),
        "skipped": [
            {**one, "text": skipped_text(one["reason"])} for one in run.measures.get("skipped", [])
        ],
        "error": run.error,
        "asked_at": run.asked_at,
        "ready_at": run.ready_at,
        "applied_at": run.applied_at,
    }


def availability_of(member: Member) -> dict[str, Any]:
    """Return what the member said of when and how often they can come."""
    limits = Limits.objects.filter(member=member).first() or Limits()
    return {
        "windows": [
            {"weekday": one.weekday, "from": _hhmm(one.from_time), "until": _hhmm(one.until_time)}
            for one in Availability.objects.filter(member=member).order_by("weekday", "from_time")
        ],
        "exceptions": [
            {
                "on": one.on,
                "available": one.available,
                "from": _hhmm(one.from_time),
                "until": _hhmm(one.until_time),
            }
            for one in AvailabilityException.objects.filter(member=member).order_by("on", "pk")
        ],
        "limits": {
            "most_shifts_a_week": limits.most_shifts_a_week,
            "most_minutes_a_week": limits.most_minutes_a_week,
            "most_days_in_a_row": limits.most_days_in_a_row,
            "neighbouring_cells": limits.neighbouring_cells,
            "experienced": limits.experienced,
        },
    }


def _hhmm(at: Any) -> str | None:
    return at.strftime("%H:%M") if at is not None else None
