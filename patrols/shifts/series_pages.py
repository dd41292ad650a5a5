"""What recurs: the list of a captain's activities, setting one up, changing one."""

import secrets
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from common import clock
from common.errors import DomainError, KeyReused, NotAllowed
from common.pages import form_fingerprint
from common.unit_of_work import UnitOfWork, perform, unit_of_work
from grids.people.backends import member_of
from patrols.shifts import recurrence, services
from patrols.shifts.forms import ActivityForm
from patrols.shifts.models import Activity, Seat, Shift
from patrols.shifts.queries import activities_kept_by, activity_visible_to, places_kept_by
from patrols.shifts.rules import keeps_activities

_A_PAGE = 40
_STAYING_SHOWN = 20


@login_required
@require_safe
def activity_list(request: HttpRequest) -> HttpResponse:
    """What recurs in one's area, running ones first."""
    member = member_of(request)
    if not places_kept_by(member):
        raise NotAllowed
    page = Paginator(activities_kept_by(member), _A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [{"activity": one, "days": rhythm(one)} for one in page]}
    return render(request, "shifts/activities.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_activity(request: HttpRequest) -> HttpResponse:
    """Set up what recurs."""
    member = member_of(request)
    if not places_kept_by(member):
        raise NotAllowed
    form = ActivityForm(request.POST or None, member=member)
    if request.method != "POST":
        form.initial = {
            "starts_on": timezone.localdate(clock.now()),
            "weekdays": list(recurrence.WEEKDAYS),
            "key": secrets.token_hex(16),
        }
        return render(request, "shifts/activity.html", {"form": form})

    def create(work: UnitOfWork) -> tuple[int, Any]:
        made = services.create_activity(
            **form.place_ids(), **form.when(), duty=form.duty(), actor=member, now=work.now
        )
        return 201, {"id": made.pk}

    def run() -> object:
        key = form.cleaned_data["key"] or None
        try:
            return perform(create, actor=member, key=key, fingerprint=form_fingerprint(request))
        except KeyReused as error:
            form.renew_key()
            raise DomainError(
                _("The first one is set up already. To set up this one too, send it again.")
            ) from error

    if not _sent(form, run):
        return render(request, "shifts/activity.html", {"form": form}, status=400)
    messages.success(request, _("It is set up, and its shifts of the next weeks are open."))
    return redirect("shifts:activities")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def activity_page(request: HttpRequest, activity_id: int) -> HttpResponse:
    """Change what recurs; coming shifts that nobody holds follow."""
    member = member_of(request)
    activity = activity_visible_to(member, activity_id)
    if not keeps_activities(member, community=activity.community, cell=activity.cell):
        raise NotAllowed
    form = ActivityForm(request.POST or None, member=member, activity=activity)
    status = 200
    if request.method == "POST":

        def change() -> object:
            changes = {**asdict(form.duty()), **form.when(), "active": form.cleaned_data["active"]}
            with unit_of_work(member) as work:
                return services.change_activity(
                    activity_id=activity_id, changes=changes, actor=member, now=work.now
                )

        if _sent(form, change):
            messages.success(
                request,
                _("Saved. Coming shifts that nobody holds follow; what was changed by hand stays."),
            )
            return redirect("shifts:activity", activity_id)
        status = 400
    context = {"form": form, "activity": activity, "staying": _staying(activity, form)}
    return render(request, "shifts/activity.html", context, status=status)


def rhythm(activity: Activity) -> str:
    """Say on which days it recurs; a rule that is more than weekdays as it is written."""
    days = recurrence.weekdays_of(activity.rrule)
    if days is None:
        return activity.rrule
    if len(days) == len(recurrence.WEEKDAYS):
        return _("every day")
    names = dict(zip(recurrence.WEEKDAYS, WEEKDAYS_ABBR.values(), strict=True))
    return _(", ").join(str(names[day]) for day in days)


def _sent(form: ActivityForm, write: Callable[[], object]) -> bool:
    """Write with a valid form, say if it is done; what is found wrong stands beside its field."""
    if not form.is_valid():
        return False
    try:
        write()
    except DomainError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise
        for name, texts in error.data.get("errors", {None: [str(error.detail)]}).items():
            field = {"cell": "place", "community": "place"}.get(name, name)
            for text in texts:
                form.add_error(field if field in form.fields else None, text)
        return False
    return True


# Where the form asks for a column of a shift by another name.
_ASKED_AS = {
    "seats_total": "seats",
    "starts_at": "starts_local",
    "ends_at": "duration_minutes",
    "meeting_lat": "meeting_name",
    "meeting_lon": "meeting_name",
}


def _staying(activity: Activity, form: ActivityForm) -> list[dict[str, Any]]:
    """Return the coming shifts that a change passes by, whole or in what was changed by hand.

    `own` names what was changed there, as the form does; empty where somebody holds a place.
    """
    coming = Shift.objects.filter(
        activity=activity, starts_at__gt=clock.now(), state=Shift.State.SCHEDULED
    )
    taken = Seat.objects.filter(shift__in=coming, member__isnull=False)
    held = set(taken.values_list("shift_id", flat=True))
    shifts = list(coming.order_by("starts_at"))
    by_hand = services.changed_by_hand(shifts, activity)
    shown = [shift for shift in shifts if shift.pk in held or shift.pk in by_hand]
    asked = {
        shift.pk: {_ASKED_AS.get(name, name) for name in by_hand.get(shift.pk, ())}
        for shift in shown
    }
    return [
        {
            "shift": shift,
            "held": shift.pk in held,
            "own": [
                str(field.label) for name, field in form.fields.items() if name in asked[shift.pk]
            ],
        }
        for shift in shown[:_STAYING_SHOWN]
    ]
