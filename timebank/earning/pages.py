"""My hours, and the reviewers' queue."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common.errors import NotAllowed
from common.pages import ids, page_write
from grids.people.models import Member
from timebank.earning import queries, services, wording
from timebank.earning.models import HourLog

PAGE = 30


@require_safe
@never_cache
@login_required
def my_hours(request: HttpRequest) -> HttpResponse:
    """Show one's own hours with their state, credits, and why."""
    member = _member(request)
    hours = queries.own_hours(member)
    before = ids([request.GET.get("before", "")])
    if before:
        hours = hours.filter(pk__lt=before[0])
    shown = list(hours[: PAGE + 1])
    context = {
        "hours": shown[:PAGE],
        "older": f"?before={shown[PAGE - 1].pk}" if len(shown) > PAGE else "",
        "newer": "?" if before else "",
        "totals": queries.totals_of(member),
        "may_review": queries.may_review(member),
    }
    with timezone.override(_zone(member)):
        return render(request, "earning/hours.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def review(request: HttpRequest) -> HttpResponse:
    """Show the waiting hours that this reviewer may decide on, oldest first, and decide."""
    member = _member(request)
    if not queries.may_review(member):
        raise NotAllowed
    if request.method == "POST":
        _decide(request)
        if not request.headers.get("HX-Request"):
            return redirect("earning:review")
    queue = queries.hours_to_review(member)
    shown = list(queue[:PAGE])
    context = {
        "hours": shown,
        "waiting": queue.count() if len(shown) == PAGE else len(shown),
        "clear": [hour for hour in shown if _is_clear(hour)],
    }
    part = bool(request.headers.get("HX-Request"))
    with timezone.override(_zone(member)):
        return render(request, "earning/_queue.html" if part else "earning/review.html", context)


def _decide(request: HttpRequest) -> None:
    """Run the one service that the pressed button names."""
    chosen = ids(request.POST.getlist("hours"))[:200]
    action = request.POST.get("action", "")
    if not chosen:
        messages.info(request, _("Choose at least one line first."))
    elif action == "reject":
        _reject(request, chosen[0])
    elif action == "approve":
        _approve(request, chosen)
    else:
        messages.error(request, _("Choose what to do: approve or reject."))


def _reject(request: HttpRequest, hour_log_id: int) -> None:
    reason = request.POST.get("reason", "").replace("\x00", "")[:300]
    hour = page_write(
        request,
        lambda work: services.reject_hours(
            hour_log_id=hour_log_id, actor=work.actor, reason=reason, now=work.now
        ),
    )
    if hour is not None:
        messages.success(request, _("Rejected. The member reads your reason."))


def _approve(request: HttpRequest, chosen: list[int]) -> None:
    bulk = page_write(
        request,
        lambda work: services.approve_selected(hour_log_ids=chosen, actor=work.actor, now=work.now),
    )
    if bulk is None:
        return
    done, left = len(bulk.approved), len(bulk.refused)
    if done:
        text = ngettext("%(n)d approved and paid.", "%(n)d approved and paid.", done)
        messages.success(request, text % {"n": done})
    if left:
        text = ngettext(
            "%(n)d was left alone: somebody else decided, or has to decide.",
            "%(n)d were left alone: somebody else decided, or has to decide.",
            left,
        )
        messages.warning(request, text % {"n": left})


def _is_clear(hour: HourLog) -> bool:
    """Say whether the evidence is known and gives no reason to look twice."""
    lines = wording.evidence_lines(hour.source_type, hour.evidence)
    return bool(lines) and all(line.good for line in lines)


def _member(request: HttpRequest) -> Member:
    assert isinstance(request.user, Member)
    return request.user


def _zone(member: Member) -> ZoneInfo:
    return ZoneInfo(member.community.zone if member.community else settings.TIME_ZONE)
