"""The member's cells: where they live and their chat groups; joining by a link or a poster."""

from typing import Any

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.errors import NotFound
from common.pages import ids, page_write
from grids.people import queries, rules, services
from grids.people.backends import member_of
from grids.people.models import Member
from grids.places.models import GROUP_MOST, Cell, Community

_A_PAGE = 50
_MOST_FOUND = 20


def join_address(cell: Cell) -> str:
    """Return the address that a cell's QR code leads to."""
    return f"{settings.SITE_URL}{reverse('people:join', args=[cell.join_key])}"


def qr_svg(text: str) -> SafeString:
    """Draw a QR code that phones read, as an inline SVG."""
    drawn: str = segno.make_qr(text, error="m").svg_inline(omitsize=True)
    return mark_safe(drawn)  # noqa: S308 (squares, no text)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def my_cells(request: HttpRequest) -> HttpResponse:
    """List my cells and the groups I lead; a captain opens a new group here."""
    member = member_of(request)
    opens = _communities_led(member)
    if request.method == "POST":
        wanted = ids([request.POST.get("community")])
        community = next((each for each in opens if each.pk in wanted), None)
        if community is None:
            raise NotFound
        name = request.POST.get("name", "")
        cell = page_write(
            request,
            lambda work: services.create_group(
                community=community, name=name, actor=member, now=work.now
            ),
        )
        if cell is not None:
            messages.success(request, _("The group is open. Share its link."))
            return redirect("people:cell", cell.pk)
    mine = queries.cells_of(member)
    led = [cell for cell in queries.groups_led_by(member) if cell not in mine]
    captains = queries.captains_of([*mine, *led])
    context = {
        "mine": [{"cell": cell, "captain": captains.get(cell.pk)} for cell in mine],
        "led": led,
        "opens": opens,
        "most": GROUP_MOST,
    }
    return render(request, "people/cells.html", context)


@login_required
@never_cache
@require_safe
def cell_page(request: HttpRequest, cell_id: int) -> HttpResponse:
    """One cell: its captain, and for a group's captain who is in it and how to invite."""
    member = member_of(request)
    cell = queries.cell_visible_to(member, cell_id)
    group = cell.kind == Cell.Kind.VIRTUAL
    leads = rules.leads_groups(member, community=cell.community, cell=cell)
    context: dict[str, Any] = {
        "cell": cell,
        "group": group,
        "leads": leads,
        "captain": queries.captains_of([cell]).get(cell.pk),
        "most": GROUP_MOST,
        "inside": group and member.groups.filter(cell=cell, left_at=None).exists(),
        "lives_here": not group and member.home is not None and member.home.cell_id == cell.pk,
    }
    if leads:
        address = join_address(cell)
        context |= {"address": address, "svg": qr_svg(address)}
    if leads and group:
        context |= _people(request, cell)
    return render(request, "people/cell.html", context)


def _people(request: HttpRequest, cell: Cell) -> dict[str, Any]:
    """Return a page of the group's members, and the neighbours whose name was asked for."""
    pages = Paginator(queries.group_members(cell), _A_PAGE)
    asked = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:80]
    found: list[Member] = []
    if asked:
        near = queries.neighbours_of(cell).filter(display_name__icontains=asked)
        outside = near.exclude(groups__in=queries.group_members(cell).values("pk"))
        found = list(outside.order_by("display_name", "pk")[:_MOST_FOUND])
    return {
        "page": pages.get_page(request.GET.get("page")),
        "asked": asked,
        "found": found,
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, key: str) -> HttpResponse:
    """Where an invitation or a poster leads: anybody reads which cell it is, members go on.

    Names of people stay inside: who is not signed in sees the cell's and the office's phone.
    """
    cell = queries.cell_of_link(key)
    if cell is None:
        raise NotFound
    member = request.user if isinstance(request.user, Member) else None
    if member is not None and not queries.towns_of(member).filter(pk=cell.community_id).exists():
        raise NotFound
    if cell.kind != Cell.Kind.VIRTUAL and member is not None:
        return redirect("people:cell", cell.pk)
    if request.method == "POST":
        if member is None:
            return redirect(f"{reverse('people:sign-in')}?next={request.path}")
        actor = member
        done = page_write(
            request, lambda work: services.join_group(key=key, actor=actor, now=work.now)
        )
        if done is not None:
            messages.success(request, _("You are in the group now."))
        return redirect("people:cell", cell.pk)
    return render(request, "people/join.html", {"cell": cell, "member": member})


@login_required
@require_POST
def rename(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Rename a group."""
    actor, cell = _group(request, cell_id)
    name = request.POST.get("name", "")
    done = page_write(
        request,
        lambda work: services.rename_group(cell=cell, name=name, actor=actor, now=work.now),
    )
    if done is not None:
        messages.success(request, _("The new name is saved."))
    return redirect("people:cell", cell_id)


@login_required
@require_POST
def renew_link(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Make a new invitation link."""
    actor, cell = _group(request, cell_id)
    done = page_write(
        request, lambda work: services.renew_link(cell=cell, actor=actor, now=work.now)
    )
    if done is not None:
        messages.success(request, _("There is a new link. The old one no longer works."))
    return redirect("people:cell", cell_id)


@login_required
@require_POST
def close(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Close a group for good."""
    actor, cell = _group(request, cell_id)
    done = page_write(
        request, lambda work: services.retire_group(cell=cell, actor=actor, now=work.now)
    )
    if done is None:
        return redirect("people:cell", cell_id)
    messages.success(request, _("The group is closed."))
    return redirect("people:cells")


@login_required
@require_POST
def leave(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Leave a group oneself."""
    actor, cell = _group(request, cell_id)

    def service(work: Any) -> bool:
        services.leave_group(cell=cell, actor=actor, now=work.now)
        return True

    if page_write(request, service):
        messages.success(request, _("You have left the group."))
    return redirect("people:cells")


@login_required
@require_POST
def add(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Let a neighbour into a group."""
    actor, cell = _group(request, cell_id)
    rules.require_lead(actor, cell)
    wanted = ids([request.POST.get("member")])
    member = queries.neighbours_of(cell).filter(pk__in=wanted).first()
    if member is None:
        raise NotFound
    done = page_write(
        request,
        lambda work: services.add_to_group(cell=cell, member=member, actor=actor, now=work.now),
    )
    if done is not None:
        said = _("%(name)s is in the group now.") % {"name": member.display_name}
        messages.success(request, said)
    return redirect("people:cell", cell_id)


@login_required
@require_POST
def remove(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Take a member out of a group."""
    actor, cell = _group(request, cell_id)
    rules.require_lead(actor, cell)
    wanted = ids([request.POST.get("member")])
    row = queries.group_members(cell).filter(member__in=wanted).first()
    if row is None:
        raise NotFound
    member = row.member

    def service(work: Any) -> bool:
        services.remove_from_group(cell=cell, member=member, actor=actor, now=work.now)
        return True

    if page_write(request, service):
        said = _("%(name)s is no longer in the group.") % {"name": member.display_name}
        messages.success(request, said)
    return redirect("people:cell", cell_id)


def _group(request: HttpRequest, cell_id: int) -> tuple[Member, Cell]:
    member = member_of(request)
    cell = queries.cell_visible_to(member, cell_id)
    if cell.kind != Cell.Kind.VIRTUAL:
        raise NotFound
    return member, cell


def _communities_led(member: Member) -> list[Community]:
    """Return the communities in which the member opens groups."""
    towns = queries.communities_of(member).order_by("path")
    return [each for each in towns if rules.leads_groups(member, community=each)]
