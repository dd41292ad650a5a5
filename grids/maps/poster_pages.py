"""A cell's poster as a page to print and as a PDF, for those who lead the cell."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from shapely import from_wkb

from common.errors import NotFound
from grids.maps import poster, queries
from grids.people.backends import member_of
from grids.people.group_pages import join_address
from grids.people.queries import captains_of
from grids.people.rules import require_lead
from grids.places.models import Building, Cell, Street
from grids.places.queries import published_shapes, subtree

# Degrees around the cell from which streets and neighbours' buildings are drawn: some 200 m.
_AROUND = 0.002


@login_required
@require_safe
def poster_page(request: HttpRequest, code: str, cell_code: str) -> HttpResponse:
    """Show the poster as it prints."""
    cell, facts = _poster(request, code, cell_code)
    title = _title(facts)
    sheets = [
        mark_safe(poster.svg(page, title=title))  # noqa: S308 (every word is escaped)
        for page in poster.pages(facts)
    ]
    return render(request, "maps/poster.html", {"cell": cell, "sheets": sheets, "title": title})


@login_required
@require_safe
def poster_pdf(request: HttpRequest, code: str, cell_code: str) -> HttpResponse:
    """Download the poster as PDF."""
    cell, facts = _poster(request, code, cell_code)
    body = poster.pdf(poster.pages(facts), title=_title(facts))
    response = HttpResponse(body, content_type="application/pdf")
    name = "".join(each if each.isalnum() and each.isascii() else "-" for each in cell.code)
    response["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return response


def _title(facts: poster.Facts) -> str:
    return _("Poster of %(cell)s") % {"cell": facts.cell}


def _poster(request: HttpRequest, code: str, cell_code: str) -> tuple[Cell, poster.Facts]:
    """Gather what the poster says; raise NotFound, or NotAllowed to who does not lead the cell."""
    actor = member_of(request)
    community = queries.community_visible_to(actor, code=code)
    if "\x00" in cell_code:
        raise NotFound
    shape = published_shapes([community]).filter(cell__code=cell_code).first()
    if shape is None:
        raise NotFound
    cell = shape.cell
    require_lead(actor, cell)
    border = from_wkb(bytes(shape.geometry))
    west, south, east, north = border.bounds
    near = Building.objects.filter(
        lon__range=(west - _AROUND, east + _AROUND),
        lat__range=(south - _AROUND, north + _AROUND),
        community__in=subtree(community),
    )
    captain = captains_of([cell]).get(cell.pk)
    return cell, poster.Facts(
        cell=str(cell),
        community=community.name,
        captain=captain.display_name if captain else "",
        phone=str(community.office_phone or ""),
        address=join_address(cell),
        border=border,
        inside=list(Building.objects.filter(cell=cell)),
        outside=list(near.exclude(cell=cell)),
        streets=list(Street.objects.filter(community=community)),
    )
