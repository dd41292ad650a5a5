"""Open shifts near home, one shift, and the captain's board tonight."""

from collections.abc import Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common import clock
from common.errors import NotAllowed
from common.pages import ids, page_write
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from grids.people.models import Member, Skill
from grids.people.queries import members_visible_to
from grids.people.rules import roles_of
from grids.places.models import Community
from grids.places.queries import subtree
from patrols.shifts import panels, services
from patrols.shifts.models import Seat, Shift
from patrols.shifts.nearby import open_shifts_near
from patrols.shifts.queries import night_of, shift_visible_to, tonight
from patrols.shifts.rules import CAPTAINS, claims_close_at, leads, leads_shift, sees_community
from realtime.queries import heads

# A socket follows at most so many topics for one board.
_MOST_TOPICS = 50
T = TypeVar("T")


@login_required
@require_safe
def shift_list(request: HttpRequest) -> HttpResponse:
    """Open shifts, near home first; claimed in one tap."""
    member = member_of(request)
    everywhere = request.GET.get("all") == "1"
    found = open_shifts_near(member, clock.now(), everywhere=everywhere)
    context = {"found": found, "everywhere": everywhere, "member": member}
    return _rendered(request, "shifts/list.html", context, member.community)


@login_required
@require_safe
def shift_page(request: HttpRequest, shift_id: int) -> HttpResponse:
    """One shift: where, when, who, and what one may do about it."""
    member, now = member_of(request), clock.now()
    shift = shift_visible_to(member, shift_id)
    seats = list(Seat.objects.filter(shift=shift).select_related("member").order_by("index"))
    own = next((seat for seat in seats if seat.member_id == member.pk), None)
    captain = leads_shift(member, shift)
    scheduled = shift.state == Shift.State.SCHEDULED
    context = {
        "shift": shift,
        "seats": seats,
        "skills": _named_skills(shift),
        "own": own,
        "member": member,
        "captain": captain,
        "named": captain or own is not None,
        "may_claim": scheduled and not own and shift.open_seats and now <= claims_close_at(shift),
        "may_release": scheduled
        and own is not None
        and own.state in (Seat.State.CLAIMED, Seat.State.ASSIGNED)
        and (captain or now < shift.starts_at),
        "may_lead": captain and scheduled and now < shift.ends_at,
    }
    context["panels"] = panels.of_shift(member, shift, now)
    return _rendered(request, "shifts/shift.html", context, shift.community)


def _named_skills(shift: Shift) -> list[str]:
    """Return the needed skills by name; one without a name by its code."""
    names = dict(
        Skill.objects.filter(code__in=shift.required_skills).values_list("code", "name")
        if shift.required_skills
        else ()
    )
    return [names.get(code) or code for code in shift.required_skills]


@login_required
@require_POST
def claim(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Take a seat."""
    member = member_of(request)

    def take(work: UnitOfWork) -> Seat:
        return services.claim_seat(shift_id=shift_id, actor=member, now=work.now)

    return _acted(request, shift_id, take, _("The seat is yours. Thank you."))


@login_required
@require_POST
def release(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Give one's seat back, or open somebody's as captain."""
    member, said = member_of(request), request.POST.get("member", "")
    holder = ids([said])
    if said and not holder:
        # Without this a garbled holder would free the captain's own seat.
        raise Http404

    def free(work: UnitOfWork) -> Seat:
        return services.release_seat(
            shift_id=shift_id,
            actor=member,
            now=work.now,
            member_id=holder[0] if holder else None,
        )

    return _acted(request, shift_id, free, _("The seat is open again for somebody else."))


@login_required
@require_POST
def assign(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Seat a member, as captain."""
    member, wanted = member_of(request), ids([request.POST.get("member")])
    if not wanted:
        raise Http404

    def seat(work: UnitOfWork) -> Seat:
        return services.assign_seat(
            shift_id=shift_id, member_id=wanted[0], actor=member, now=work.now
        )

    return _acted(request, shift_id, seat, lambda taken: _filled(member, taken))


def _filled(actor: Member, seat: Seat) -> str:
    """Say that nobody told the member yet, and how to where the actor may see the phone."""
    if seat.member_id is None or seat.member_id == actor.pk:
        return _("The seat is filled.")
    member = members_visible_to(actor).filter(pk=seat.member_id).first()
    if member is None or not member.phone:
        return _("The seat is filled. Please tell the member: no message was sent.")
    phone = member.phone
    return format_html(
        _("The seat is filled. Please tell {name}: no message was sent. {phone}"),
        name=member.display_name,
        phone=format_html('<a class="nowrap" href="tel:{}">{}</a>', phone, phone.as_national),
    )


@login_required
@require_POST
def cancel(request: HttpRequest, shift_id: int) -> HttpResponse:
    """Call a shift off, as captain."""
    member = member_of(request)

    def call_off(work: UnitOfWork) -> Shift:
        return services.cancel_shift(shift_id=shift_id, actor=member, now=work.now)

    text = _("The shift is called off. It is gone from everybody's day; no message was sent.")
    return _acted(request, shift_id, call_off, text)


@login_required
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """Go to the board of the community that one leads."""
    places = boards_of(member_of(request))
    if not places:
        raise NotAllowed
    return redirect("shifts:board-of", places[0].code)


@login_required
@require_safe
def board_of(request: HttpRequest, code: str) -> HttpResponse:
    """Show tonight's cells, gaps first; the page follows its topics by itself."""
    member, community = member_of(request), _led(request, code)
    topics = [
        f"community:{pk}"
        for pk in subtree(community).order_by("path").values_list("pk", flat=True)[:_MOST_TOPICS]
    ]
    # Before the data: what happens in between comes again over the socket and redraws the board.
    known = heads(topics)
    context = {
        **_board(member, community),
        "boards": boards_of(member),
        "topics": " ".join(topics),
        "since": " ".join(str(known.get(topic, 0)) for topic in topics),
    }
    return _rendered(request, "shifts/board.html", context, community)


@login_required
@require_safe
def board_part(request: HttpRequest, code: str) -> HttpResponse:
    """The part of the board that is drawn again on each event."""
    community = _led(request, code)
    context = _board(member_of(request), community)
    return _rendered(request, "shifts/_board.html", context, community)


def boards_of(member: Member) -> list[Community]:
    """Return the communities whose board the member may open, lowest in the tree last."""
    wanted = Q(pk__in=[])
    for role in roles_of(member):
        if role.kind not in CAPTAINS:
            continue
        if role.community is not None:
            wanted |= Q(path__startswith=role.community.path)
        elif role.cell is not None:
            wanted |= Q(pk=role.cell.community_id)
    return list(Community.objects.filter(wanted).order_by("path"))


def _led(request: HttpRequest, code: str) -> Community:
    member = member_of(request)
    community = Community.objects.filter(code=code).first()
    if community is None or not sees_community(member, community):
        raise Http404
    if community not in boards_of(member):
        raise NotAllowed
    return community


def _board(member: Member, community: Community) -> dict[str, Any]:
    now = clock.now()
    cells = tonight(community, now)
    rows = []
    for cell in cells:
        # All shifts of one cell have the same captains; a cell's captain reads names only there.
        named = leads_shift(member, cell.shifts[0])
        shifts = [
            {
                "shift": shift,
                "seats": sorted(shift.seats.all(), key=lambda seat: seat.index),
                "late": shift.open_seats > 0 and shift.starts_at <= now < shift.ends_at,
                "may_fill": named and shift.open_seats > 0 and now < shift.ends_at,
            }
            for shift in cell.shifts
        ]
        states = [str(seat.state) for row in shifts for seat in row["seats"]]  # type: ignore[attr-defined]
        rows.append(
            {
                "cell": cell,
                "named": named,
                "shifts": shifts,
                "states": states,
                "covered": cell.seats - cell.open,
                "alarm": any(row["late"] for row in shifts),
            }
        )
    counts = [state for row in rows for state in row["states"]]  # type: ignore[attr-defined]
    return {
        "community": community,
        "member": member,
        "day": night_of(community, now)[0],
        "rows": rows,
        "panels": panels.of_board(member, community, now),
        "may_plan": leads(member, community=community, cell=None),
        "open": counts.count("open"),
        "out": counts.count("checked_in"),
        "expected": counts.count("claimed") + counts.count("assigned"),
        "missing": counts.count("no_show"),
    }


def _acted(
    request: HttpRequest,
    shift_id: int,
    service: Callable[[UnitOfWork], T],
    done: str | Callable[[T], str],
) -> HttpResponse:
    """Run one service; say what happened; go back to where the person stood."""
    outcome = page_write(request, service)
    if outcome is not None:
        messages.success(request, done if isinstance(done, str) else done(outcome))
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("shifts:shift", args=[shift_id])
    return redirect(back)


def _rendered(
    request: HttpRequest, template: str, context: dict[str, Any], community: Community | None
) -> HttpResponse:
    """Render with the community's clock."""
    if community is None:
        return render(request, template, context)
    with timezone.override(ZoneInfo(community.zone)):
        return render(request, template, context)
