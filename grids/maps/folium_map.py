"""Draw a community with folium, all scripts and styles served from this host.

The base map is the community's own streets and buildings, unless a tile server is configured.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import folium
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import escape
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from shapely import from_wkb, simplify, unary_union
from shapely.geometry import mapping

from grids.maps.layers import CellMark

# Light and dark differ as much as the colours do, and gaps are dashed: nobody has to tell red
# from green. The same kinds are in the style sheet's `.swatch--…`.
Buffer = bytes | memoryview
STYLES: dict[str, dict[str, Any]] = {
    "none": {"color": "#8a4b00", "weight": 2.5, "dashArray": "6 4", "fillColor": "#f2b544"},
    "part": {"color": "#1f5b4d", "weight": 1.5, "dashArray": "2 4", "fillColor": "#8fc2b1"},
    "full": {"color": "#1f5b4d", "weight": 1.5, "fillColor": "#1f5b4d"},
    "unknown": {"color": "#6b7280", "weight": 1, "fillColor": "#ffffff"},
}
_LINE_DEGREES = 5e-6


class _LocalMap(folium.Map):
    """A folium map that names nothing but this host's own Leaflet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # folium's popups use jQuery: Django's admin brings it.
        self.default_js = [
            ("leaflet", static("leaflet/leaflet.js")),
            ("jquery", static("admin/js/vendor/jquery/jquery.min.js")),
        ]
        self.default_css = [("leaflet_css", static("leaflet/leaflet.css"))]


def kind_of(mark: CellMark | None) -> str:
    """Choose a cell's style from tonight's share of filled seats."""
    if mark is None or mark.share is None:
        return "unknown"
    if mark.share >= 1:
        return "full"
    return "part" if mark.share > 0.5 else "none"


def legend() -> list[tuple[str, str]]:
    """Return (kind, words) in the order they are shown."""
    return [
        ("none", _("Half or fewer of tonight's seats are filled")),
        ("part", _("Some seats are still open")),
        ("full", _("All seats are filled")),
        ("unknown", _("No patrol tonight")),
    ]


def render(
    *,
    features: Iterable[dict[str, Any]],
    marks: Mapping[int, CellMark],
    streets: Iterable[Buffer],
    buildings: Iterable[Buffer],
    nonce: str,
) -> str:
    """Return a whole HTML page; its inline scripts and styles carry the CSP `nonce`."""
    cells = list(features)
    shown = _LocalMap(
        tiles=None, zoom_control=True, prefer_canvas=True, zoom_snap=0.25, control_scale=True
    )
    if settings.TILE_URL:
        folium.TileLayer(settings.TILE_URL, attr=escape(settings.TILE_ATTRIBUTION)).add_to(shown)
    _outline(_("Buildings"), buildings, colour="#b9b2a6", fill=True).add_to(shown)
    _outline(_("Streets"), streets, colour="#8a8f98", fill=False).add_to(shown)
    group = folium.FeatureGroup(name=_("Cells"))
    for feature in cells:
        mark = marks.get(feature["properties"]["id"])
        _cell(feature, mark).add_to(group)
    group.add_to(shown)
    folium.LayerControl(collapsed=True).add_to(shown)
    titles = json.dumps({"zoomInTitle": _("Zoom in"), "zoomOutTitle": _("Zoom out")})
    # Before the map's own script, which is written when it is rendered.
    ours = folium.Element(
        f"Object.assign(L.Control.Zoom.prototype.options, {titles});"
        "L.Control.Scale.prototype.options.imperial = false;"
    )
    root: Any = shown.get_root()
    root.script.add_child(ours)
    bounds = _bounds(cells)
    if bounds:
        shown.fit_bounds(bounds)
    return _with_nonce(shown.get_root().render(), nonce)


def _cell(feature: dict[str, Any], mark: CellMark | None) -> folium.GeoJson:
    properties = feature["properties"]
    captain = properties["captain"]["name"] if properties["captain"] else _("No captain yet")
    lines = [
        properties["name"],
        captain,
        _("%(count)d households") % {"count": properties["households"] or 0},
        mark.text if mark else _("No patrol tonight"),
    ]
    style = {**STYLES[kind_of(mark)], "fillOpacity": 0.5}
    words = "<br>".join(escape(line) for line in lines)
    drawn = folium.GeoJson(
        {"type": "Feature", "geometry": feature["geometry"], "properties": {}},
        style_function=lambda _feature, style=style: style,
        tooltip=folium.Tooltip(words, sticky=False),
    )
    drawn.add_child(folium.Popup(words))
    return drawn


def _outline(name: str, wkbs: Iterable[Buffer], *, colour: str, fill: bool) -> folium.FeatureGroup:
    group = folium.FeatureGroup(name=name)
    shapes = [from_wkb(bytes(wkb)) for wkb in wkbs]
    if shapes:
        merged = simplify(unary_union(shapes), _LINE_DEGREES)
        folium.GeoJson(
            {"type": "Feature", "geometry": mapping(merged), "properties": {}},
            style_function=lambda _feature: {
                "color": colour,
                "weight": 1,
                "fill": fill,
                "fillColor": colour,
                "fillOpacity": 0.6,
                "interactive": False,
            },
            interactive=False,
        ).add_to(group)
    return group


def _bounds(features: list[dict[str, Any]]) -> list[list[float]] | None:
    points = [
        (point[1], point[0])
        for feature in features
        if feature["geometry"]
        for point in _positions(feature["geometry"]["coordinates"])
    ]
    if not points:
        return None
    lats, lons = [p[0] for p in points], [p[1] for p in points]
    return [[min(lats), min(lons)], [max(lats), max(lons)]]


def _positions(coordinates: Any) -> Iterable[Any]:
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield coordinates
        return
    for part in coordinates:
        yield from _positions(part)


def _with_nonce(html: str, nonce: str) -> str:
    """Say the page's language; mark folium's inline scripts and styles.

    Its style attributes would only be refused.
    """
    html = html.replace("<html>", f'<html lang="{get_language()}">', 1)
    html = re.sub(r"<(script|style)(?=[\s>])", rf'<\1 nonce="{nonce}"', html)
    return re.sub(r'(<div[^>]*?) style="[^"]*"', r"\1", html)
