"""The way of one shift, to follow and to print; and the captain's list of streets."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from common import clock
from common.errors import NotAllowed
from grids.people.backends import member_of
from grids.people.queries import has_consent
from patrols.checkins.queries import checkins_of_seat
from patrols.routes import queries, services
from patrols.routes.rules import require_route_of
from patrols.shifts.models import Seat
from patrols.shifts.queries import community_visible_to, night_of, shift_visible_to

_HISTORY_DAYS = 14


@login_required
@require_safe
def shift_route(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Show a map of the way, and its streets in order."""
    member, now = member_of(request), clock.now()
    shift = shift_visible_to(member, shift_id)
    require_route_of(member, shift)
    found = queries.tonight(shift)
    seat = Seat.objects.filter(shift=shift, member=member).first()
    on_duty = False
    if seat is not None:
        done = checkins_of_seat(seat, member)
        on_duty = "in" in done and "out" not in done and now < shift.ends_at
    context = {
        "shift": shift,
        "found": found,
        "several": found is not None and len(found.ways) > 1,
        "seat": seat,
        "on_duty": on_duty,
        "tracks_on": seat is not None and has_consent(member, services.PURPOSE),
        "ends_at": shift.ends_at,
    }
    with timezone.override(ZoneInfo(shift.community.zone)):
        return render(request, "routes/shift.html", context)


@login_required
@require_safe
def streets(request: HttpRequest, community_id: int) -> HttpResponse:
    """List the streets of the cells that one leads, not walked for longest first."""
    member = member_of(request)
    community = community_visible_to(member, community_id)
    cells = queries.cells_led(member, community)
    if not cells:
        raise NotAllowed
    wanted = request.GET.get("cell", "")
    shown = [cell for cell in cells if not wanted or str(cell.pk) == wanted]
    if not shown:
        raise Http404
    today = night_of(community, clock.now())[0].date()
    rows = queries.streets_walked(shown, today=today)
    queries.add_dates(rows, since=today - timedelta(days=_HISTORY_DAYS))
    routes = [route for route in (queries.route_of_cell(cell.pk) for cell in shown) if route]
    context = {
        "community": community,
        "cells": cells,
        "chosen": shown[0] if wanted else None,
        "rows": rows,
        "late": sum(row.late for row in rows),
        "week": queries.WEEK,
        "unreached": [
            {"cell": cell, **one}
            for cell in shown
            for route in routes
            if route.cell_id == cell.pk
            for one in route.unreached
        ],
        "days": _HISTORY_DAYS,
    }
    with timezone.override(ZoneInfo(community.zone)):
        return render(request, "routes/streets.html", context)
