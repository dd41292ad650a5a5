"""The heat map of a period and the table beside it; the files to take away."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe
from shapely import from_wkb, set_precision, to_geojson

from common import clock
from common.errors import NotAllowed, NotFound
from grids.maps import export, folium_map, ground, heat, layers, queries
from grids.maps.layers import Held
from grids.maps.pages import framed, framed_map
from grids.people.backends import member_of
from grids.people.rules import administers, cells_led
from grids.places.models import Building, Community, Street
from grids.places.queries import published_shapes, subtree


@login_required
@require_safe
def heat_page(request: HttpRequest, code: str) -> HttpResponse:
    """Show how many patrols took place in each cell between two days, few first."""
    community, first, last = _asked(request, code)
    below = list(subtree(community))
    found = layers.history_of(below, first, last)
    rows = queries.cell_rows(ground.shapes_of(community).values())
    scale = heat.scale_of(found[row["id"]].held for row in rows if row["id"] in found)
    shown = []
    for row in rows:
        held = found.get(row["id"], Held(0, 0))
        shown.append({**row, "held": held, "step": scale.step(held.held)})
    shown.sort(key=lambda row: (row["held"].held, row["code"]))
    walked = layers.street_history_of(member_of(request), below, first, last)
    context = {
        "community": community,
        "first": first,
        "last": last,
        "rows": shown,
        "legend": scale.legend(),
        "streets": _streets_said(below, walked) if walked else [],
    }
    return render(request, "maps/heat.html", context)


@login_required
@require_safe
@framed
def heat_frame(request: HttpRequest, code: str) -> HttpResponse:
    """Serve the heat map itself."""
    community, first, last = _asked(request, code)
    below = list(subtree(community))
    found = layers.history_of(below, first, last)
    borders, middles = ground.borders(community), ground.middles(community)
    rows = queries.cell_rows(ground.shapes_of(community).values())
    scale = heat.scale_of(found[row["id"]].held for row in rows if row["id"] in found)
    cells = []
    for row in rows:
        held = found.get(row["id"], Held(0, 0))
        label = {**row, "name": f"{row['name']} · {held.held}"}
        lines = [row["name"], heat.said(held)]
        look = heat.style(scale.step(held.held))
        at = middles.get(row["id"])
        cells.append(folium_map.cell_feature(label, borders[row["id"]], at, lines, look))
    walked = layers.street_history_of(member_of(request), below, first, last)
    streets: list[Any] = []
    if walked:
        stored = Street.objects.filter(community__in=below)
        streets = heat.street_lines(
            [
                (pk, name, to_geojson(set_precision(from_wkb(bytes(wkb)), 1e-6)))
                for pk, name, wkb in stored.values_list("pk", "name", "geometry")
                if pk in walked
            ],
            walked,
        )
    return framed_map(request, community, cells, marks=[], streets=streets)


def _asked(request: HttpRequest, code: str) -> tuple[Community, date, date]:
    community = queries.community_visible_to(request.user, code=code)
    today = clock.now().astimezone(ZoneInfo(community.zone)).date()
    return community, *heat.period(
        _day(request.GET.get("from")), _day(request.GET.get("to")), today
    )


def _day(text: str | None) -> date | None:
    try:
        return parse_date(text or "")
    except ValueError:
        return None


_MOST_STREETS = 50


def _streets_said(below: list[Community], walked: dict[int, int]) -> list[tuple[str, int]]:
    """Return (name, times) of the streets walked least: of one name, its least walked part."""
    least: dict[str, int] = {}
    for pk, name in Street.objects.filter(community__in=below).values_list("pk", "name"):
        if name and pk in walked:
            least[name] = min(walked[pk], least.get(name, walked[pk]))
    return sorted(least.items(), key=lambda each: (each[1], each[0]))[:_MOST_STREETS]


@login_required
@require_safe
def download(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """Give the published cells and buildings to captains and administrators as a file.

    The captain of single cells gets those. `cells.geojson`, `buildings.geojson`, or both in
    `map.gpkg`.
    """
    actor = member_of(request)
    community = queries.community_visible_to(actor, code=code)
    led = None if administers(actor, community=community) else cells_led(actor, community=community)
    if led is not None and not led:
        raise NotAllowed
    shapes = published_shapes(subtree(community))
    buildings = Building.objects.filter(community__in=subtree(community))
    if led is not None:
        shapes, buildings = shapes.filter(cell__in=led), buildings.filter(cell__in=led)
    if name == "cells.geojson":
        body = export.geojson(export.cells_table(shapes))
    elif name == "buildings.geojson":
        body = export.geojson(export.buildings_table(buildings))
    elif name == "map.gpkg":
        tables = {
            "cells": export.cells_table(shapes),
            "buildings": export.buildings_table(buildings),
        }
        body = export.geopackage(tables)
    else:
        raise NotFound
    response = HttpResponse(body, content_type=export.FORMATS[name.rpartition(".")[2]])
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
