"""A statement on paper: A4 pages as PDF, in Chinese or English."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from timebank.ledger.words import say

# Every PDF reader has this typeface or one in its place, so no font file is shipped.
_FONT = "STSong-Light"
_WIDTH, _HEIGHT = (float(side) for side in A4)
_MARGIN = 48.0
_RIGHT = _WIDTH - _MARGIN
_SIZE, _LEADING, _GAP = 9.0, 12.0, 5.0
_BOTTOM = 60.0
# Left edge and width of date, what, other side; right edges of credits and balance, in points.
_DATE = _MARGIN
_WHAT, _WHAT_WIDTH = _MARGIN + 82, 168.0
_OTHER, _OTHER_WIDTH = _MARGIN + 258, 118.0
_CREDITS, _BALANCE = _RIGHT - 62, _RIGHT
_BEYOND_THE_FONT = "□"


@dataclass(frozen=True)
class _Row:
    date: str
    what: list[str]
    other: list[str]
    credits: str
    balance: str

    @property
    def height(self) -> float:
        return max(len(self.what), len(self.other), 1) * _LEADING + _GAP


def statement_pdf(data: dict[str, Any]) -> bytes:
    """Draw what `statements.statement_to_print` returned as A4 pages."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    zone = ZoneInfo(data["zone"])
    pages = list(_pages(_rows(data["lines"], zone)))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, pageCompression=1)
    canvas.setTitle(f"{_('Statement')} · {data['account']['owner']}")
    canvas.setCreator("Linli")
    for number, rows in enumerate(pages, start=1):
        _draw_page(canvas, data, rows, number=number, last=len(pages))
    canvas.save()
    return out.getvalue()


def _rows(lines: Iterable[dict[str, Any]], zone: ZoneInfo) -> Iterator[_Row]:
    for line in lines:
        amount = line["amount"]
        if not line["moved"]:
            shown = f"({amount})"
        else:
            # A hyphen: the font's encoding has no minus sign.
            shown = f"+{amount}" if line["direction"] == "in" else f"-{amount}"
        yield _Row(
            date=line["at"].astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            what=_wrapped(say(line), _WHAT_WIDTH),
            other=[
                *_wrapped(line["other"]["name"], _OTHER_WIDTH),
                *_wrapped(line["memo"], _OTHER_WIDTH),
            ],
            credits=shown,
            balance=line["balance"] or "",
        )


def _pages(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Break rows into pages; a statement without lines has one page all the same."""
    page: list[_Row] = []
    left = _top(first=True) - _BOTTOM
    full = _top(first=False) - _BOTTOM
    for row in rows:
        if row.height > left:
            yield page
            page, left = [], full
        page.append(row)
        left -= row.height
    yield page


def _top(*, first: bool) -> float:
    """Return where the rows begin, in points from the foot of the page."""
    return _HEIGHT - (218 if first else 92)


def _draw_page(
    canvas: Canvas, data: dict[str, Any], rows: list[_Row], *, number: int, last: int
) -> None:
    first = number == 1
    if first:
        _draw_head(canvas, data)
    else:
        _text(canvas, _MARGIN, _HEIGHT - 50, f"{data['account']['owner']} · {_days(data)}")
    y = _top(first=first)
    canvas.setFillGray(0.35)
    for draw, x, words in (
        (_text, _DATE, _("Date")),
        (_text, _WHAT, _("What")),
        (_text, _OTHER, _("With, and note")),
        (_text_right, _CREDITS, _("Credits")),
        (_text_right, _BALANCE, _("Balance after")),
    ):
        draw(canvas, x, y + 10, words)
    canvas.setFillGray(0)
    canvas.setLineWidth(0.6)
    canvas.line(_MARGIN, y + 5, _RIGHT, y + 5)
    canvas.setLineWidth(0.2)
    y -= _LEADING - 4
    for row in rows:
        _text(canvas, _DATE, y, row.date)
        for x, lines in ((_WHAT, row.what), (_OTHER, row.other)):
            for at, one in enumerate(lines):
                _text(canvas, x, y - at * _LEADING, one)
        _text_right(canvas, _CREDITS, y, row.credits)
        _text_right(canvas, _BALANCE, y, row.balance)
        y -= row.height
        canvas.line(_MARGIN, y + _LEADING - 1, _RIGHT, y + _LEADING - 1)
    if not rows:
        _text(canvas, _DATE, y, _("Nothing in these days"))
    canvas.setFillGray(0.35)
    _text(canvas, _MARGIN, 34, _("In brackets: set aside or freed again, not yet moved."))
    _text_right(canvas, _RIGHT, 34, _("Page %(n)s of %(all)s") % {"n": number, "all": last})
    canvas.showPage()


def _draw_head(canvas: Canvas, data: dict[str, Any]) -> None:
    """Write whose account it is, which days, and the balance at both ends."""
    account = data["account"]
    canvas.setFont(_FONT, 18)
    canvas.drawString(_MARGIN, _HEIGHT - 66, _("Statement"))
    facts = [
        (_("Community"), data["community"]),
        (_("Holder"), account["owner"]),
        (_("Account"), str(account["id"])),
        (_("Period"), _days(data)),
        (_("At the start"), data["opening"]),
        (_("At the end"), data["closing"]),
    ]
    for at, (name, value) in enumerate(facts):
        y = _HEIGHT - 92 - at * 16
        canvas.setFillGray(0.35)
        _text(canvas, _MARGIN, y, name)
        canvas.setFillGray(0)
        _text(canvas, _WHAT, y, _wrapped(value, _RIGHT - _WHAT)[0], size=11)


def _days(data: dict[str, Any]) -> str:
    first, last = data["from"], data["to"]
    return f"{date_format(first, 'DATE_FORMAT')} – {date_format(last, 'DATE_FORMAT')}"


def _text(canvas: Canvas, x: float, y: float, words: str, size: float = _SIZE) -> None:
    canvas.setFont(_FONT, size)
    canvas.drawString(x, y, _printable(words))


def _text_right(canvas: Canvas, x: float, y: float, words: str) -> None:
    canvas.setFont(_FONT, _SIZE)
    canvas.drawRightString(x, y, words)


def _printable(words: str) -> str:
    """Mark what the font's encoding has no place for; spaces and control characters fold."""
    return "".join(
        letter if ord(letter) <= 0xFFFF else _BEYOND_THE_FONT for letter in " ".join(words.split())
    )


def _wrapped(words: str, width: float) -> list[str]:
    """Break words into lines: Chinese anywhere, other scripts at a space where there is one."""
    rest = _printable(words)
    lines = []
    while pdfmetrics.stringWidth(rest, _FONT, _SIZE) > width:
        fits = 1
        while pdfmetrics.stringWidth(rest[: fits + 1], _FONT, _SIZE) <= width:
            fits += 1
        space = rest.rfind(" ", 0, fits + 1)
        cut = space if space > 0 and rest[fits].isascii() else fits
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*lines, rest] if rest else lines
