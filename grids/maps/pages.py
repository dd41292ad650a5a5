"""The community's map: a page with a legend and a table, and the folium map in a frame."""

from typing import Any

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from common import clock
from grids.maps import folium_map, layers, queries
from grids.people.queries import communities_of
from grids.places.models import Building, Community, Street


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
    """Show cells coloured by tonight's coverage, with the same facts as a table."""
    community = queries.community_visible_to(request.user, code=code)
    features = queries.cell_features(queries.shapes_under(community))
    marks = layers.coverage_of(_below(community), clock.now())
    rows = [
        {**feature["properties"], "mark": marks.get(feature["properties"]["id"])}
        for feature in features
    ]
    rows.sort(key=_gaps_first)
    context = {
        "community": community,
        "rows": rows,
        "legend": folium_map.legend(),
        "others": queries.communities_visible_to(request.user).order_by("path"),
    }
    return render(request, "maps/community.html", context)


# The decorator's stubs know only views without arguments.
@require_safe
@login_required
@csp_update({"script-src": [SELF, NONCE], "style-src": [SELF, NONCE]})  # type: ignore[arg-type]
def community_frame(request: HttpRequest, code: str) -> HttpResponse:
    """Serve the folium map itself, with a content policy of its own."""
    community = queries.community_visible_to(request.user, code=code)
    below = _below(community)
    html = folium_map.render(
        features=queries.cell_features(queries.shapes_under(community)),
        marks=layers.coverage_of(below, clock.now()),
        streets=Street.objects.filter(community__in=below).values_list("geometry", flat=True),
        buildings=Building.objects.filter(community__in=below).values_list("geometry", flat=True),
        nonce=str(request.csp_nonce),  # type: ignore[attr-defined]
    )
    return HttpResponse(html)


def _below(community: Community) -> list[Community]:
    return list(Community.objects.filter(path__startswith=community.path))


def _gaps_first(row: dict[str, Any]) -> tuple[float, str]:
    """Sort by what is missing tonight; cells without a patrol come last."""
    mark = row["mark"]
    return (mark.share if mark is not None and mark.share is not None else 2.0, row["code"])
