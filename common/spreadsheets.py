"""Tables for spreadsheets: what somebody typed is never run as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

# Spreadsheets also take the full-width signs.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?")


def safe_cell(text: str) -> str:
    """Keep a spreadsheet from running a cell that somebody typed: an apostrophe goes before it.

    One that stands before such a sign already gets one more: `plain_cell` gives the text back.
    """
    return f"'{text}" if text.lstrip("'").startswith(RISKY) else text


def plain_cell(text: str) -> str:
    """Undo `safe_cell` when such a table is read again."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(RISKY) else text


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV, with a byte order mark for Chinese; text is made safe, numbers stay."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_cell(one) for one in row])
    return out.getvalue()


def _cell(value: object) -> object:
    text = isinstance(value, str) and not _NEGATIVE.fullmatch(value)
    return safe_cell(str(value)) if text else value
