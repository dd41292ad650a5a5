"""Draw a community with folium, all scripts and styles served from this host.

The base map is the community's own streets and buildings, unless a tile server is configured. They
are fetched after the page is there; patterns, labels and the keyboard are mapframe.js's.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import folium
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import escape
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from folium.utilities import JsCode

from grids.maps.layers import CellMark, Layer, Mark

# Light and dark differ as much as the colours do, each kind has its own pattern (mapframe.js) and
# gaps are dashed: nobody has to tell red from green. The style sheet's `.swatch--…` are the same.
STYLES: dict[str, dict[str, Any]] = {
    "none": {"color": "#8a4b00", "weight": 3, "dashArray": "7 4", "fillColor": "url(#p-none)"},
    "part": {"color": "#1f5b4d", "weight": 2, "dashArray": "2 4", "fillColor": "url(#p-part)"},
    "full": {"color": "#0b3d33", "weight": 2, "fillColor": "#1f5b4d", "fillOpacity": 0.45},
    "unknown": {"color": "#6b7280", "weight": 1.5, "fillColor": "#ffffff", "fillOpacity": 0.35},
}
# Lightness falls evenly from step to step (as in cividis), so that grey shows the order as well.
HEAT = ("#fdea45", "#cbba69", "#958f78", "#666970", "#31446b", "#00204c")


class _LocalMap(folium.Map):
    """A folium map that names nothing but this host's own Leaflet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # folium's popups use jQuery: Django's admin brings it.
        self.default_js = [
            ("leaflet", static("leaflet/leaflet.js")),
            ("jquery", static("admin/js/vendor/jquery/jquery.min.js")),
            ("mapframe", static("linli/js/mapframe.js")),
        ]
        self.default_css = [
            ("leaflet_css", static("leaflet/leaflet.css")),
            ("map_css", static("linli/map.css")),
        ]


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


def cell_feature(
    row: Mapping[str, Any], border: str, at: Any, lines: Sequence[str], style: Any
) -> str:
    """Write a cell of the map: its border (GeoJSON), its label and where, its bubble's lines."""
    properties = {
        "cell": row["id"],
        "label": row["name"],
        "at": at,
        "lines": list(lines),
        "style": style,
    }
    return f'{{"type":"Feature","geometry":{border},"properties":{json.dumps(properties)}}}'


def overview_lines(row: Mapping[str, Any], mark: CellMark | None) -> list[str]:
    """Say of a cell what the list beside the map says."""
    captain = row["captain"]["name"] if row["captain"] else _("No captain yet")
    return [
        row["name"],
        mark.text if mark else _("No patrol tonight"),
        captain,
        _("%(count)d households") % {"count": row["households"] or 0},
    ]


def render(
    *,
    cells: Sequence[str],
    bounds: Any,
    layers: Sequence[tuple[Layer, Sequence[Mark]]],
    buildings_url: str,
    streets_url: str,
    nonce: str,
    streets: Sequence[Any] = (),
) -> str:
    """Return a whole HTML page; its inline scripts and styles carry the CSP `nonce`.

    `cells` are texts of `cell_feature`; `streets` are features drawn above the base map.
    """
    shown = _LocalMap(tiles=None, zoom_control=True, zoom_snap=0.25, control_scale=True)
    if settings.TILE_URL:
        folium.TileLayer(
            settings.TILE_URL, attr=escape(settings.TILE_ATTRIBUTION), name=_("Background map")
        ).add_to(shown)
    folium.map.CustomPane("ground", z_index=250).add_to(shown)
    base = [
        (_ground(_("Buildings"), "#a99f8e", fill=True), buildings_url),
        (_ground(_("Streets"), "#9298a1", fill=False), streets_url),
    ]
    for outline, _url in base:
        outline.add_to(shown)
    drawn = [(_layer(_("Cells")), ",".join(cells))]
    if streets:
        drawn.append((_layer(_("How often streets were walked")), _joined(streets)))
    drawn += [
        (
            _layer(str(layer.name), shown=layer.shown),
            _joined(_mark_feature(layer, mark) for mark in marks),
        )
        for layer, marks in layers
    ]
    for each, _texts in drawn:
        each.add_to(shown)
    folium.LayerControl(collapsed=True).add_to(shown)
    titles = {"zoomInTitle": _("Zoom in"), "zoomOutTitle": _("Zoom out")}
    root: Any = shown.get_root()
    # Before the map's own script, which is written when it is rendered.
    root.script.add_child(
        folium.Element(
            f"Object.assign(L.Control.Zoom.prototype.options, {json.dumps(titles)});"
            "L.Control.Scale.prototype.options.imperial = false;"
        )
    )
    if bounds:
        shown.fit_bounds(bounds)
    html: str = root.render()
    head, end, tail = _with_nonce(html, nonce).rpartition("</script>")
    return f"{head}\n{_start(shown, drawn, base)}\n{end}{tail}"


def _start(shown: folium.Map, drawn: Sequence[Any], base: Sequence[Any]) -> str:
    """Write the script that hands the data over.

    It must not pass through folium: that takes what it has rendered for a template once more, and
    a name with braces in it would be run on the server.
    """
    data = ",".join(
        f'{{layer: {layer.get_name()}, data: {{"type":"FeatureCollection","features":[{texts}]}}}}'
        for layer, texts in drawn
    )
    outlines = ",".join(
        f"{{layer: {layer.get_name()}, url: {json.dumps(url)}}}" for layer, url in base
    )
    words = json.dumps({"layers": _("Layers"), "open": _("More")})
    script = (
        f"linliMap.start({{map: {shown.get_name()}, data: [{data}], base: [{outlines}], "
        f"words: {words}}});"
    )
    # Only in strings do these stand, and there JSON may spell them otherwise.
    return script.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _joined(features: Iterable[Any]) -> str:
    return ",".join(json.dumps(feature) for feature in features)


def _layer(name: str, *, shown: bool = True) -> folium.GeoJson:
    """A layer that is filled by the last script."""
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": []},
        name=name,
        show=shown,
        style=JsCode("linliMap.style"),
        on_each_feature=JsCode("linliMap.each"),
        pointToLayer=JsCode("linliMap.point"),
    )


def _ground(name: str, colour: str, *, fill: bool) -> folium.GeoJson:
    """A layer of the base map: empty until its outlines are fetched, on a canvas of its own."""
    style = {
        "color": colour,
        "weight": 1 if fill else 1.5,
        "fill": fill,
        "fillColor": colour,
        "fillOpacity": 0.55,
    }
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": []},
        name=name,
        style=style,
        pane="ground",
        renderer=JsCode("linliMap.canvas()"),
        interactive=False,
    )


def _mark_feature(layer: Layer, mark: Mark) -> dict[str, Any]:
    style = layer.styles.get(mark.style)
    look = {
        "color": style.colour if style else "#214f8c",
        "weight": style.width if style else 3,
        "dashArray": style.dash if style else "",
        "fill": bool(style and style.fill),
        "fillOpacity": 0.15,
    }
    words = [str(style.words)] if style else []
    return {
        "type": "Feature",
        "geometry": mark.geometry,
        "properties": {
            "lines": [mark.text, *words],
            "letter": style.letter if style else "•",
            "url": mark.url,
            "style": look,
        },
    }


def _with_nonce(html: str, nonce: str) -> str:
    """Say the page's language; mark folium's inline scripts and styles.

    Its style attributes would only be refused.
    """
    html = html.replace("<html>", f'<html lang="{get_language()}">', 1)
    html = re.sub(r"<(script|style)(?=[\s>])", rf'<\1 nonce="{nonce}"', html)
    return re.sub(r'(<div[^>]*?) style="[^"]*"', r"\1", html)
