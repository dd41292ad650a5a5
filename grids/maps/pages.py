"""The community's map: a page with a legend and a list, and the folium map in a frame."""

from collections.abc import Callable, Mapping
from typing import Any

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from common import clock
from grids.maps import folium_map, ground, layers, packed, queries
from grids.maps.layers import CellMark
from grids.people.backends import member_of
from grids.people.queries import communities_of
from grids.people.rules import leads_groups
from grids.places.models import Community
from grids.places.queries import subtree
from grids.places.rules import may_edit

# folium writes its scripts and styles into the page: they carry a nonce.
framed: Callable[[Any], Any] = csp_update({"script-src": [SELF, NONCE], "style-src": [SELF, NONCE]})


@require_safe
@login_required
def my_map(request: HttpRequest) -> HttpResponse:
    """Lead to the map of the member's own community."""
    own = communities_of(request.user).order_by("path").first()
    if own is None:
        return redirect("/")
    return redirect("maps:community", code=own.code)


@require_safe
@login_required
def community_map(request: HttpRequest, code: str) -> HttpResponse:
    """Show cells by tonight's coverage, and beside the map the same facts as a list."""
    community = queries.community_visible_to(request.user, code=code)
    below, now = list(subtree(community)), clock.now()
    marks = layers.coverage_of(below, now)
    found = layers.marks_of(member_of(request), below, now)
    codes = {each.pk: each.code for each in below}
    rows = [
        {
            **row,
            "mark": marks.get(row["id"]),
            "style": folium_map.kind_of(marks.get(row["id"])),
            "counts": _counts(found, row["id"]),
            "of": codes[row["community"]],
        }
        for row in queries.cell_rows(ground.shapes_of(community).values())
    ]
    rows.sort(key=_gaps_first)
    context = {
        "community": community,
        "rows": rows,
        "leads": leads_groups(member_of(request), community=community),
        "groups": queries.cell_rows([], queries.groups_under(community)),
        "legend": folium_map.legend(),
        "layers": [(layer, len(marks)) for layer, marks in found if marks],
        "may_edit": may_edit(request.user, community),
        "others": queries.communities_visible_to(request.user).order_by("path"),
    }
    return render(request, "maps/community.html", context)


def _counts(found: Any, cell: int) -> list[tuple[str, int]]:
    """Say how many marks of each layer lie in a cell, those without any left out."""
    counts = [(layer.name, sum(mark.cell == cell for mark in marks)) for layer, marks in found]
    return [(name, count) for name, count in counts if count]


@require_safe
@login_required
@framed
def community_frame(request: HttpRequest, code: str) -> HttpResponse:
    """Serve the folium map itself, with a content policy of its own."""
    community = queries.community_visible_to(request.user, code=code)
    below, now = list(subtree(community)), clock.now()
    marks = layers.coverage_of(below, now)
    cells = drawn_cells(community, marks)
    return framed_map(
        request, community, cells, marks=layers.marks_of(member_of(request), below, now)
    )


def drawn_cells(community: Community, marks: Mapping[int, CellMark]) -> list[str]:
    """Build the cells of the overview, styled by tonight's marks."""
    borders, middles = ground.borders(community), ground.middles(community)
    return [
        folium_map.cell_feature(
            row,
            borders[row["id"]],
            middles.get(row["id"]),
            folium_map.overview_lines(row, marks.get(row["id"])),
            folium_map.STYLES[folium_map.kind_of(marks.get(row["id"]))],
        )
        for row in queries.cell_rows(ground.shapes_of(community).values())
    ]


def framed_map(
    request: HttpRequest, community: Community, cells: list[str], *, marks: Any, streets: Any = ()
) -> HttpResponse:
    """Answer with a map of `cells` over the community's own streets and buildings."""
    html = folium_map.render(
        cells=cells,
        streets=streets,
        bounds=ground.bounds(community),
        layers=marks,
        buildings_url=reverse("maps:buildings", args=[community.code]),
        streets_url=reverse("maps:streets", args=[community.code]),
        nonce=str(request.csp_nonce),  # type: ignore[attr-defined]
    )
    return HttpResponse(html)


@require_safe
@login_required
def buildings(request: HttpRequest, code: str) -> HttpResponse:
    """Serve the outlines of the buildings, for the base map."""
    return _outlines(request, code, ground.buildings_json)


@require_safe
@login_required
def streets(request: HttpRequest, code: str) -> HttpResponse:
    """Serve the streets, for the base map."""
    return _outlines(request, code, ground.streets_json)


def _outlines(request: HttpRequest, code: str, draw: Callable[[Community], bytes]) -> HttpResponse:
    community = queries.community_visible_to(request.user, code=code)
    return packed.answer(request, draw(community), content_type="application/geo+json", zipped=True)


def _gaps_first(row: dict[str, Any]) -> tuple[float, str]:
    """Sort by what is missing tonight; cells without a patrol come last."""
    mark = row["mark"]
    return (mark.share if mark is not None and mark.share is not None else 2.0, row["code"])
