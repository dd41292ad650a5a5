"""Plans for captains, replacements for one seat, and when a volunteer can come."""

from collections import Counter
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_time
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common import clock
from common.errors import NotAllowed
from common.pages import ids, page_write
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from grids.people.models import Member
from grids.people.queries import members_visible_to
from patrols.rosters import services
from patrols.rosters.models import RosterRun
from patrols.rosters.queries import (
    availability_of,
    communities_led_by,
    led_part,
    planned_rows,
    run_covering,
    run_data,
    runs_covering,
)
from patrols.rosters.replacements import replacements_for
from patrols.rosters.services import ExceptionInput, WindowInput
from patrols.rosters.tasks import solve_run
from patrols.rosters.wording import replacement_text
from realtime.queries import heads

_LISTED = 20
# Toggles that fit nearly everybody; windows said elsewhere stand beside them.
PRESETS = (("06:00", "12:00"), ("12:00", "18:00"), ("18:00", "00:00"), ("22:00", "06:00"))


@login_required
@require_safe
def replacements(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Who could take an open seat, best first; assigned in one tap."""
    actor = member_of(request)
    shift, found = replacements_for(shift_id=shift_id, actor=actor, now=clock.now())
    # Whom the captain does not look after is named, with the cell only: no address, no phone.
    known = set(
        members_visible_to(actor)
        .filter(pk__in=[one.member.pk for one in found])
        .values_list("pk", flat=True)
    )
    rows = [
        {
            "member": one.member,
            "known": one.member.pk in known,
            "load": one.load,
            "words": [replacement_text(r) for r in one.reasons],
        }
        for one in found
    ]
    with timezone.override(ZoneInfo(shift.community.zone)):
        return render(request, "rosters/replacements.html", {"shift": shift, "rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def roster_list(request: HttpRequest) -> HttpResponse:
    """The plans so far, and asking for a new one."""
    member = member_of(request)
    led = list(communities_led_by(member))
    if not led:
        raise NotAllowed
    if request.method == "POST":
        wanted = ids([request.POST.get("community")])
        from_on = parse_day(request.POST.get("from"))
        if not wanted or from_on is None:
            messages.error(request, _("Choose a community and the first day."))
            return redirect("rosters:list")

        def ask(work: UnitOfWork) -> RosterRun:
            run = services.ask_roster(
                community_id=wanted[0],
                from_on=from_on,
                days=7,
                seconds=30,
                seed=1,
                actor=member,
                now=work.now,
            )
            solve_run.enqueue(run.pk)
            return run

        run = page_write(request, ask)
        return redirect("rosters:run", run.pk) if run else redirect("rosters:list")
    today = clock.now().astimezone(ZoneInfo(led[0].zone)).date()
    runs = runs_covering(member).select_related("community")[:_LISTED]
    context = {
        "communities": led,
        "today": today,
        "runs": [{"run": run, "covers": led_part(member, run)} for run in runs],
    }
    return render(request, "rosters/list.html", context)


@login_required
@require_safe
def roster_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """One plan; while it is being made the page waits for `roster.ready`."""
    member = member_of(request)
    # Before the data: an event in between comes again over the socket.
    topics = [f"member:{member.pk}", f"community:{run_covering(member, run_id).community_id}"]
    known = heads(topics)
    run = run_covering(member, run_id)
    follow = {
        "topics": " ".join(topics),
        "since": " ".join(str(known.get(topic, 0)) for topic in topics),
    }
    with timezone.override(ZoneInfo(run.community.zone)):
        return render(request, "rosters/run.html", {**_run(member, run), **follow})


@login_required
@require_safe
def roster_part(request: HttpRequest, run_id: int) -> HttpResponse:
    """The part of a plan's page that changes when it is ready."""
    member = member_of(request)
    run = run_covering(member, run_id)
    with timezone.override(ZoneInfo(run.community.zone)):
        return render(request, "rosters/_run.html", _run(member, run))


@login_required
@require_POST
def roster_apply(request: HttpRequest, run_id: int) -> HttpResponse:
    """Assign what a plan says."""
    member = member_of(request)

    def apply(work: UnitOfWork) -> RosterRun:
        return services.apply_run(run_id=run_id, actor=member, now=work.now)

    if page_write(request, apply) is not None:
        messages.success(request, _("The plan holds now. Everybody in it was told."))
    return redirect("rosters:run", run_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def availability(request: HttpRequest) -> HttpResponse:
    """When and how often one can come, by large toggles."""
    member = member_of(request)
    if request.method == "POST":
        windows = [one for text in request.POST.getlist("window") if (one := parse_window(text))]
        away = [parse_day(text) for text in request.POST.getlist("away")]
        most = ids([request.POST.get("most_shifts_a_week")])
        kept = availability_of(member)["exceptions"]

        def put(work: UnitOfWork) -> bool:
            services.set_availability(
                actor=member,
                now=work.now,
                windows=windows,
                exceptions=[
                    *(ExceptionInput(on) for on in sorted({on for on in away if on})),
                    *(_exception(one) for one in kept if one["available"] or one["from"]),
                ],
                limits={
                    "most_shifts_a_week": min(most[0], 21) if most else 2,
                    "neighbouring_cells": request.POST.get("neighbouring_cells") == "on",
                },
            )
            return True

        if page_write(request, put):
            messages.success(request, _("Saved. The next plan keeps to it."))
        return redirect("rosters:availability")
    said = availability_of(member)
    context = {
        "days": _toggles(said["windows"]),
        "limits": said["limits"],
        "away": [one for one in said["exceptions"] if not one["available"] and not one["from"]],
    }
    return render(request, "rosters/availability.html", context)


def parse_window(text: str) -> WindowInput | None:
    """Read a toggle's value, "1-18:00-00:00"; None for anything else."""
    weekday, _dash, times = text.partition("-")
    since, _dash, until = times.partition("-")
    start, end = _time(since), _time(until)
    if weekday not in set("1234567") or start is None or end is None:
        return None
    return WindowInput(int(weekday), start, end)


def parse_day(text: str | None) -> date | None:
    """Read a posted date; None for anything else."""
    try:
        return parse_date(text or "")
    except ValueError:
        return None


def _time(text: str) -> time | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


def _exception(one: dict[str, Any]) -> ExceptionInput:
    return ExceptionInput(
        one["on"],
        one["available"],
        _time(one["from"]) if one["from"] else None,
        _time(one["until"]) if one["until"] else None,
    )


def _toggles(windows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the seven days with their toggles: the presets, and what was said otherwise."""
    names = dict(
        zip(
            PRESETS,
            (_("Morning"), _("Afternoon"), _("Evening"), _("Night")),
            strict=True,
        )
    )
    days = []
    for weekday in range(1, 8):
        said = [(one["from"], one["until"]) for one in windows if one["weekday"] == weekday]
        choices = sorted({*PRESETS, *said})
        days.append(
            {
                "name": WEEKDAYS[weekday - 1],
                "choices": [
                    {
                        "value": f"{weekday}-{since}-{until}",
                        "name": names.get((since, until), ""),
                        "since": since,
                        "until": "24:00" if until == "00:00" else until,
                        "on": (since, until) in said,
                    }
                    for since, until in choices
                ],
            }
        )
    return days


def _run(member: Member, run: RosterRun) -> dict[str, Any]:
    part = led_part(member, run)
    data = run_data(run, part)
    rows = planned_rows(run, part).order_by("seat__starts_at", "seat__shift", "seat__index")
    return {
        "run": run,
        # Of a plan that was made above, its captain sees the own communities and can't use it.
        "covers": part,
        "filled": run.seats_filled if part is None else len(data["planned"]),
        "data": data,
        "busy": run.state in (RosterRun.State.QUEUED, RosterRun.State.RUNNING),
        "share": round(100 * run.seats_filled / run.seats_total)
        if run.seats_total and part is None
        else None,
        "gap_percent": None if run.gap is None else round(100 * run.gap, 2),
        "reasons": Counter(one["text"] for one in data["open"]).most_common(),
        "skipped": Counter(one["text"] for one in data["skipped"]).most_common(),
        "rows": [row for row in rows if row.member_id],
        "new": sum(1 for _one in data["planned"]),
    }
