"""Today, and the code that a captain shows at the meeting point."""

from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import segno
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common import clock
from common.errors import NotAllowed
from grids.people.models import Member, Role
from grids.people.rules import roles_of
from patrols.checkins import today
from patrols.checkins.evidence import REASONS
from patrols.shifts.queries import shift_visible_to
from patrols.shifts.rules import leads_shift
from realtime.queries import head
from timebank.earning import queries as earning

_CODE_LENGTH = 8


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Show Today to a member, and a welcome to everybody else."""
    member = request.user
    if not isinstance(member, Member):
        return render(request, "checkins/welcome.html", {"sign_in_url": _sign_in(request)})
    return _render_today(request, "checkins/today.html", member)


@require_safe
@never_cache
@login_required
def today_part(request: HttpRequest) -> HttpResponse:
    """Show the part of Today that changes, alone."""
    assert isinstance(request.user, Member)
    return _render_today(request, "checkins/_today.html", request.user)


@require_safe
@never_cache
@login_required
def meeting_code(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Show or print the code of the meeting point; the shift's captains only.

    The QR code opens Today with the code filled in.
    """
    assert isinstance(request.user, Member)
    shift = shift_visible_to(request.user, shift_id)
    if not leads_shift(request.user, shift):
        raise NotAllowed
    address = f"{settings.SITE_URL}/?{urlencode({'code': shift.meeting_code})}"
    svg = segno.make_qr(address, error="m").svg_inline(omitsize=True)
    # segno draws it from our own letters: nothing in it was typed by a person.
    context = {"shift": shift, "svg": mark_safe(svg)}  # noqa: S308
    with timezone.override(ZoneInfo(shift.community.zone)):
        return render(request, "checkins/meeting_code.html", context)


def _render_today(request: HttpRequest, template: str, member: Member) -> HttpResponse:
    now = clock.now()
    # Read before what is shown, so that no change falls between the two.
    topic = f"member:{member.pk}"
    since = head(topic)
    seats = today.seats_ahead(member, now)
    last = today.last_answer(member, now)
    context: dict[str, Any] = {
        "live_topic": topic,
        "live_since": since,
        "duty": today.duty_of(seats[0], member, now) if seats else None,
        "coming": seats[1:],
        "last": last,
        "last_reasons": [REASONS.get(code, code) for code in last.checkin.reasons] if last else [],
        "purse": today.purse_of(member),
        "totals": earning.totals_of(member),
        "doors": _doors(member),
        "to_review": earning.hours_to_review(member).count(),
        "shifts_url": _door("/shifts/"),
        "code": request.GET.get("code", "")[:_CODE_LENGTH],
    }
    zone = member.community.zone if member.community else settings.TIME_ZONE
    with timezone.override(ZoneInfo(zone)):
        return render(request, template, context)


def _doors(member: Member) -> list[dict[str, str]]:
    """Return a card for each thing that this person's roles let them do."""
    kinds = {role.kind for role in roles_of(member)}
    doors = []
    if Role.Kind.CAPTAIN in kinds:
        doors.append(("/board/", "layout-grid", _("Tonight's board"), _("Who is out, gaps")))
        doors.append(("/rosters/", "calendar-range", _("Rosters"), _("Fill a week's open places")))
    if Role.Kind.PARTNER_STAFF in kinds:
        doors.append(("/counter/", "scan-line", _("Counter"), _("Take meals and credits")))
    found = [(_door(path), icon, label, note) for path, icon, label, note in doors]
    return [
        {"url": url, "icon": icon, "label": label, "note": note}
        for url, icon, label, note in found
        if url
    ]


def _door(path: str) -> str:
    """Return the address of a page of another app, or "" where this site has none."""
    try:
        resolve(path)
    except Resolver404:
        return ""
    return path


def _sign_in(request: HttpRequest) -> str:
    url = resolve_url(settings.LOGIN_URL)
    here = request.get_full_path()
    return url if here == "/" else f"{url}?{urlencode({'next': here})}"
