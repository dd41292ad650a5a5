"""A cell's poster, A3 upright: its border, streets by name, buildings by number, whom to ask.

One scene of plain shapes (points of 1/72 inch, y downwards) is drawn as SVG for the screen and the
printer, and as PDF.
"""

import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import segno
from django.utils.html import escape
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A3
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from shapely import Geometry, box, from_wkb, get_parts, prepare, total_bounds, transform

from grids.places.models import Building, Street

_FONT = "STSong-Light"
WIDTH, HEIGHT = (round(float(side)) for side in A3)
_MARGIN = 40
_MAP = (_MARGIN, 150, WIDTH - 2 * _MARGIN, 640)
_LIST_TOP = 838
_FOOT = HEIGHT - 46
_COLUMNS = 4
_QR = 150
_LEAST, _MOST_SIZE = 7.0, 15.0
_METRES_PER_DEGREE = 111_195.0
# Around the cell, for people to find their way.
_AROUND = 0.06
_MOST_NAMES = 40
_INK, _PINE, _GREY, _PALE = "#12241f", "#0b5a4a", "#8a8f98", "#efebe2"
# What the PDF's typeface has no place for.
_BEYOND = "□"


@dataclass(frozen=True)
class Area:
    """A filled or outlined polygon, rings of points."""

    rings: Sequence[Sequence[tuple[float, float]]]
    fill: str = ""
    stroke: str = ""
    width: float = 0.5
    dash: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: Sequence[tuple[float, float]]
    stroke: str
    width: float


@dataclass(frozen=True)
class Text:
    """Words at a point; `anchor` start, middle or end; `angle` in degrees, clockwise."""

    x: float
    y: float
    words: str
    size: float
    anchor: str = "start"
    fill: str = _INK
    angle: float = 0.0
    halo: bool = False


Piece = Area | Line | Text
Page = list[Piece]


@dataclass
class Facts:
    """What a poster says."""

    cell: str
    community: str
    captain: str
    phone: str
    address: str
    border: Geometry
    inside: Sequence[Building] = ()
    outside: Sequence[Building] = ()
    streets: Sequence[Street] = ()
    numbers: dict[int, int] = field(default_factory=dict)


def pages(facts: Facts) -> list[Page]:
    """Lay the poster out; a long list of buildings goes on on further pages."""
    inside = sorted(facts.inside, key=_in_order)
    facts.numbers = {building.pk: at for at, building in enumerate(inside, start=1)}
    lines = [f"{at}  {_named(building)}" for at, building in enumerate(inside, start=1)]
    first: Page = [*_head(facts), *_map(facts, inside), *_join(facts.address)]
    rest = _list(first, lines, top=_LIST_TOP, right=WIDTH - _MARGIN - _QR - 24)
    found = [first]
    while rest:
        more: Page = [Text(_MARGIN, 70, f"{facts.cell} · {facts.community}", 22)]
        rest = _list(more, rest, top=100, right=WIDTH - _MARGIN)
        found.append(more)
    return found


def _head(facts: Facts) -> list[Piece]:
    said = [_("Captain: %(name)s") % {"name": facts.captain or _("No captain yet")}]
    if facts.phone:
        said.append(_("Community office: %(phone)s") % {"phone": facts.phone})
    return [
        Area([_rect(0, 0, WIDTH, 14)], fill=_PINE),
        Text(_MARGIN, 88, facts.cell, 54, fill=_PINE),
        Text(_MARGIN, 122, facts.community, 22),
        *(
            Text(WIDTH - _MARGIN, 82 + 36 * at, words, 22, anchor="end")
            for at, words in enumerate(said)
        ),
    ]


def _map(facts: Facts, inside: Sequence[Building]) -> list[Piece]:
    x, y, wide, high = _MAP
    place = _projection(facts.border, (x, y, wide, high))
    frame = box(x, y, x + wide, y + high)
    prepare(frame)

    def place_all(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(place(points[:, 0], points[:, 1]))

    def drawn(wkb: Any) -> Geometry:
        shape = transform(from_wkb(bytes(wkb)), place_all)
        return shape if frame.contains(shape) else shape.intersection(frame)

    found: list[Piece] = [Area([_rect(x, y, wide, high)], fill=_PALE)]
    cell = transform(facts.border, place_all)
    found += _areas(cell, fill="#ffffff")
    for building in facts.outside:
        found += _areas(drawn(building.geometry), fill="#d9d3c6")
    streets = [(street, drawn(street.geometry)) for street in facts.streets]
    for _street, line in streets:
        found += [Line(list(part.coords), _GREY, 2.2) for part in _lines(line)]
    for building in inside:
        found += _areas(drawn(building.geometry), fill="#8fc2b1", stroke=_PINE, width=0.4)
    found += _areas(cell, stroke=_PINE, width=4, dash="12 5")
    found += _street_names(streets)
    size = 8.0 if len(inside) <= 120 else 6.0
    for building in inside:
        across, down = place(building.lon, building.lat)
        number = str(facts.numbers[building.pk])
        found.append(Text(across, down + size * 0.35, number, size, "middle", halo=True))
    found.append(Area([_rect(x, y, wide, high)], stroke=_INK, width=0.8))
    return found


def _projection(
    border: Geometry, frame: tuple[float, float, float, float]
) -> Callable[..., tuple[Any, ...]]:
    """Return lon, lat → points on the page: the cell fills the frame, north is up."""
    west, south, east, north = total_bounds(border)
    shrink = math.cos(math.radians((south + north) / 2))
    wide = (east - west) * shrink * _METRES_PER_DEGREE * (1 + 2 * _AROUND)
    high = (north - south) * _METRES_PER_DEGREE * (1 + 2 * _AROUND)
    x, y, across, down = frame
    scale = min(across / wide, down / high)
    middle = ((west + east) / 2, (south + north) / 2)

    def place(lon: Any, lat: Any) -> tuple[Any, ...]:
        return (
            x + across / 2 + (lon - middle[0]) * shrink * _METRES_PER_DEGREE * scale,
            y + down / 2 - (lat - middle[1]) * _METRES_PER_DEGREE * scale,
        )

    return place


def _street_names(streets: Sequence[tuple[Street, Geometry]]) -> list[Piece]:
    """Write each name once, along its longest stretch, and none over another."""
    longest: dict[str, Any] = {}
    for street, line in streets:
        for part in _lines(line):
            if street.name and part.length > getattr(longest.get(street.name), "length", 0.0):
                longest[street.name] = part
    found: list[Piece] = []
    taken: list[tuple[float, float]] = []
    for name, part in sorted(longest.items(), key=lambda each: -each[1].length)[:_MOST_NAMES]:
        middle = part.interpolate(0.5, normalized=True)
        if part.length < 5 * len(name) or any(
            math.dist((middle.x, middle.y), other) < 34 for other in taken
        ):
            continue
        a = part.interpolate(0.4, normalized=True)
        b = part.interpolate(0.6, normalized=True)
        angle = math.degrees(math.atan2(b.y - a.y, b.x - a.x))
        angle = angle - 180 if angle > 90 else angle + 180 if angle < -90 else angle
        taken.append((middle.x, middle.y))
        found.append(
            Text(middle.x, middle.y + 3, name, 11, "middle", "#30343a", round(angle, 1), halo=True)
        )
    return found


def _join(address: str) -> list[Piece]:
    """Draw the QR code, module by module, with what it is for."""
    x, y = WIDTH - _MARGIN - _QR, _LIST_TOP + 10
    rows = [list(row) for row in segno.make_qr(address, error="m").matrix]
    step = _QR / len(rows)
    found: list[Piece] = []
    for down, row in enumerate(rows):
        start = None
        for across, dark in enumerate([*row, 0]):
            if dark and start is None:
                start = across
            elif not dark and start is not None:
                run = _rect(x + start * step, y + down * step, (across - start) * step, step)
                found.append(Area([run], fill="#000000"))
                start = None
    words = _("Scan to join your neighbours")
    return [*found, Text(x + _QR / 2, y + _QR + 24, words, 13, "middle")]


def _list(page: Page, lines: list[str], *, top: float, right: float) -> list[str]:
    """Set as many lines as fit in columns, as large as can be; return those left over."""
    high, wide = _FOOT - top - 20, (right - _MARGIN) / _COLUMNS
    page.append(Text(_MARGIN, top + 8, _("Buildings"), 14, fill=_PINE))
    size = _MOST_SIZE
    while size > _LEAST and len(lines) > _COLUMNS * int(high / (size * 1.35)):
        size -= 0.5
    rows = int(high / (size * 1.35))
    for at, line in enumerate(lines[: rows * _COLUMNS]):
        column, row = divmod(at, rows)
        y = top + 28 + row * size * 1.35
        page.append(Text(_MARGIN + column * wide, y, _cut(line, size, wide - 8), size))
    return lines[rows * _COLUMNS :]


def _cut(words: str, size: float, width: float) -> str:
    """Shorten words to a column."""
    _font()
    while len(words) > 4 and pdfmetrics.stringWidth(words, _FONT, size) > width:
        words = words[:-2] + "…"
    return words


def _named(building: Building) -> str:
    return (
        building.address
        or building.name
        or _("%(count)d households") % {"count": building.dwellings}
    )


def _in_order(building: Building) -> tuple[Any, ...]:
    """Sort by street, then by house number as people count: 2 before 10."""
    parts = re.split(r"(\d+)", building.address or building.name)
    numbers = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
    return (not (building.address or building.name), numbers, building.pk)


def _areas(shape: Geometry, **look: Any) -> list[Piece]:
    return [
        Area([list(part.exterior.coords), *(list(hole.coords) for hole in part.interiors)], **look)
        for part in get_parts(shape)
        if part.geom_type == "Polygon" and not part.is_empty
    ]


def _lines(shape: Geometry) -> Iterable[Any]:
    return (part for part in get_parts(shape) if part.geom_type == "LineString" and part.length > 0)


def _rect(x: float, y: float, wide: float, high: float) -> list[tuple[float, float]]:
    return [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y)]


# ── SVG ──
def svg(page: Page, *, title: str) -> str:
    """Draw a page as SVG; only attributes, since the content policy refuses styles."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    parts = [
        f'{head} aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    parts += [_svg_piece(piece) for piece in page]
    return "".join([*parts, "</svg>"])


def _svg_piece(piece: Piece) -> str:
    if isinstance(piece, Text):
        turned = f' transform="rotate({piece.angle} {piece.x:.1f} {piece.y:.1f})"'
        halo = ' stroke="#ffffff" stroke-width="2.4" paint-order="stroke" stroke-linejoin="round"'
        return (
            f'<text x="{piece.x:.1f}" y="{piece.y:.1f}" font-size="{piece.size:g}" '
            f'text-anchor="{piece.anchor}" fill="{piece.fill}"{halo if piece.halo else ""}'
            f"{turned if piece.angle else ''}>{escape(piece.words)}</text>"
        )
    rings = [piece.points] if isinstance(piece, Line) else piece.rings
    path = " ".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) for ring in rings)
    fill = piece.fill if isinstance(piece, Area) and piece.fill else "none"
    stroke = (
        f' stroke="{piece.stroke}" stroke-width="{piece.width:g}" stroke-linejoin="round"'
        if piece.stroke
        else ""
    )
    dash = f' stroke-dasharray="{piece.dash}"' if isinstance(piece, Area) and piece.dash else ""
    return f'<path d="{path}" fill="{fill}" fill-rule="evenodd"{stroke}{dash}/>'


# ── PDF ──
def pdf(all_pages: Sequence[Page], *, title: str) -> bytes:
    """Draw the pages as PDF, A3."""
    _font()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(WIDTH, HEIGHT), pageCompression=1)
    canvas.setTitle(title)
    canvas.setCreator("Linli")
    for page in all_pages:
        for piece in page:
            _pdf_piece(canvas, piece)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _pdf_piece(canvas: Canvas, piece: Piece) -> None:
    canvas.saveState()
    if isinstance(piece, Text):
        words = "".join(letter if ord(letter) <= 0xFFFF else _BEYOND for letter in piece.words)
        canvas.translate(piece.x, HEIGHT - piece.y)
        canvas.rotate(-piece.angle)
        width = pdfmetrics.stringWidth(words, _FONT, piece.size)
        left = {"start": 0.0, "middle": -width / 2, "end": -width}[piece.anchor]
        for mode in (1, 0) if piece.halo else (0,):
            canvas.setStrokeColor("#ffffff")
            canvas.setLineWidth(1.2)
            canvas.setFillColor(piece.fill)
            canvas.setFont(_FONT, piece.size)
            canvas.drawString(left, 0, words, mode=mode)
        canvas.restoreState()
        return
    if piece.stroke:
        canvas.setStrokeColor(piece.stroke)
        canvas.setLineWidth(piece.width)
        canvas.setLineJoin(1)
    if isinstance(piece, Area) and piece.dash:
        canvas.setDash([float(each) for each in piece.dash.split()])
    fill = isinstance(piece, Area) and bool(piece.fill)
    if isinstance(piece, Area) and piece.fill:
        canvas.setFillColor(piece.fill)
    path = canvas.beginPath()
    for ring in [piece.points] if isinstance(piece, Line) else piece.rings:
        path.moveTo(ring[0][0], HEIGHT - ring[0][1])
        for x, y in ring[1:]:
            path.lineTo(x, HEIGHT - y)
    canvas.drawPath(path, stroke=int(bool(piece.stroke)), fill=int(fill), fillMode=0)
    canvas.restoreState()


def _font() -> None:
    if _FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
