"""The editor of a community's draft plan, with its changes, publishing and history."""

from collections.abc import Callable
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import BadInput, NotFound
from common.pages import page_write
from common.unit_of_work import UnitOfWork
from grids.maps import plan_queries, queries
from grids.people.models import Member
from grids.places import plans
from grids.places.models import CellPlan, Community, PlanStep
from grids.places.rules import may_change, require_may_change, require_may_edit
from grids.zoning.services import redraw_community, save_drawing
from realtime.queries import heads

_HISTORY = 30
_SEED = 1
State = CellPlan.State


@require_safe
@login_required
def editor(request: HttpRequest, code: str) -> HttpResponse:
    """Show the draft on the map, to be edited; or where there is none, how to start one."""
    community = _community(request, code)
    return render(request, "maps/plan.html", _context(request, community))


@require_safe
@login_required
def part(request: HttpRequest, code: str) -> HttpResponse:
    """Return what stands below the map: changes, publishing, history."""
    community = _community(request, code)
    return render(request, "maps/_plan.html", _context(request, community))


@require_POST
@login_required
def start(request: HttpRequest, code: str) -> HttpResponse:
    """Start a draft: a copy of the published plan, or a redrawing of it."""
    community = _community(request, code)
    again = request.POST.get("redraw") == "on"
    if again:
        require_may_change(request.user, community)

    def run(work: UnitOfWork) -> CellPlan:
        if not again:
            return plans.start_draft(community=community, actor=work.actor, now=work.now)
        plans.refuse_second_draft(plans.lock_plans(community.pk))
        return save_drawing(
            community=community,
            drawing=drawing.plan,
            seed=_SEED,
            now=work.now,
            actor=work.actor,
            kind=PlanStep.Kind.REDRAWN,
        )

    if again:
        # Seconds of work, outside of the transaction.
        drawing = redraw_community(community=community, seed=_SEED)
    page_write(request, run)
    return redirect("maps:plan", code=code)


@require_POST
@login_required
def publish(request: HttpRequest, code: str) -> HttpResponse:
    """Publish the draft now, or on the date that was chosen; an empty date takes it back."""
    community = _community(request, code)
    plan = _plan(community, State.DRAFT)
    on = request.POST.get("on")

    def run(work: UnitOfWork) -> CellPlan:
        how: dict[str, Any] = {
            "plan": plan,
            "actor": work.actor,
            "now": work.now,
            "version": _version(request),
            "why": request.POST.get("why", "")[:200],
        }
        if on is None:
            return plans.publish_plan(**how)
        day = _day(on)
        at = datetime.combine(day, time(), tzinfo=ZoneInfo(community.zone)) if day else None
        return plans.schedule_plan(at=at, **how)

    words = _("The plan is published.") if on is None else _("The date is noted.")
    return _written(request, code, run, words)


@require_POST
@login_required
def discard(request: HttpRequest, code: str) -> HttpResponse:
    """Put the draft away."""
    plan = _plan(_community(request, code), State.DRAFT)

    def run(work: UnitOfWork) -> CellPlan:
        return plans.discard_plan(
            plan=plan, actor=work.actor, now=work.now, version=_version(request)
        )

    return _written(request, code, run, _("The draft is put away. You can restore it below."))


@require_POST
@login_required
def undo(request: HttpRequest, code: str) -> HttpResponse:
    """Undo the publishing of the plan in force, or restore a discarded draft."""
    community = _community(request, code)
    wanted = request.POST.get("plan", "")
    plan = CellPlan.objects.filter(
        community=community, pk=int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0
    ).first()
    if plan is None:
        raise NotFound

    def run(work: UnitOfWork) -> CellPlan:
        return plans.undo_plan(plan=plan, actor=work.actor, now=work.now)

    return _written(request, code, run, _("That step is undone."))


def _written(
    request: HttpRequest, code: str, run: Callable[[UnitOfWork], CellPlan], words: str
) -> HttpResponse:
    if page_write(request, run) is not None:
        messages.success(request, words)
    return redirect("maps:plan", code=code)


def _community(request: HttpRequest, code: str) -> Community:
    community = queries.community_visible_to(request.user, code=code)
    require_may_edit(request.user, community)
    return community


def _plan(community: Community, state: str) -> CellPlan:
    plan = CellPlan.objects.filter(community=community, state=state).first()
    if plan is None:
        raise NotFound
    return plan


def _version(request: HttpRequest) -> int | None:
    text = request.POST.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _day(text: str) -> Any:
    if not text:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise BadInput({"on": [_("Choose a date.")]})
    return day


def _context(request: HttpRequest, community: Community) -> dict[str, Any]:
    topic = f"community:{community.pk}"
    # Read before what is shown, so that no change falls between.
    since = heads([topic]).get(topic, 0)
    member = request.user
    assert isinstance(member, Member)
    plan = CellPlan.objects.filter(community=community, state=State.DRAFT).first()
    published = CellPlan.objects.filter(community=community, state=State.PUBLISHED).first()
    steps = list(plan_queries.steps_of(community)[:_HISTORY])
    last = next((step for step in steps if step.kind == PlanStep.Kind.DISCARDED), None)
    revertible = (
        published is not None
        and published.steps.filter(kind=PlanStep.Kind.PUBLISHED, replaced__isnull=False).exists()
    )
    return {
        "community": community,
        "topic": topic,
        "since": since,
        "plan": plan,
        "published": published,
        "may_publish": may_change(member, community),
        "diff": plan_queries.diff_of(plan) if plan is not None else None,
        "edits": plan.edits.select_related("by").order_by("-number")[:_HISTORY] if plan else [],
        "steps": steps,
        "revertible": revertible,
        "restorable": last.plan
        if last is not None and plan is None and last.plan.state == State.DISCARDED
        else None,
    }
