"""Read a table from CSV or XLSX, as spreadsheets really write them; every cell is text."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from grids.places.findings import Unreadable

MOST_BYTES = 50 << 20
MOST_ROWS = 200_000
_MOST_COLUMNS = 100
_MOST_UNPACKED = 200 << 20
_MOST_CELL = 32_767


def read_table(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file or of a workbook's first sheet; raise Unreadable."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable("table_too_large", most=MOST_BYTES >> 20)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise Unreadable("no_file") from error
    except OSError as error:
        raise Unreadable("cannot_open", reason=error.strerror or "") from error
    if data.startswith(b"PK\x03\x04"):
        return list(_sheet(data))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("old_workbook")
    return _csv(_decode(data))


def _csv(text: str) -> list[list[str]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if len(rows) > MOST_ROWS:
                raise Unreadable("too_many_rows", most=MOST_ROWS)
            rows.append(row[:_MOST_COLUMNS])
    except csv.Error as error:
        raise Unreadable("bad_csv", line=reader.line_num, reason=str(error)) from error
    return rows


def _decode(data: bytes) -> str:
    """Read UTF-8 with or without its mark, UTF-16, else Excel's Chinese GB18030."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif data[1:2] == b"\x00":
        encodings = ["utf-16-le"]
    elif data[:1] == b"\x00":
        encodings = ["utf-16-be"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("no_encoding")


def _sheet(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of the first sheet, read from end to end without building it in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            # Some kilobytes can unpack to gigabytes.
            if sum(one.file_size for one in packed.infolist()) > _MOST_UNPACKED:
                raise Unreadable("unpacks_too_large", most=_MOST_UNPACKED >> 20)
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            sheets = book.worksheets
            if not sheets:
                raise Unreadable("no_sheet")
            empty = 0
            for number, row in enumerate(sheets[0].iter_rows(max_col=_MOST_COLUMNS), start=1):
                if number > MOST_ROWS + 1:
                    raise Unreadable("too_many_rows", most=MOST_ROWS)
                cells = [_text(cell) for cell in row]
                # A format set on whole columns leaves a million empty rows behind.
                empty = 0 if any(cells) else empty + 1
                if empty > 1000:
                    return
                yield cells
        finally:
            book.close()
    except Unreadable:
        raise
    except (
        zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, TypeError,
        AttributeError, IndexError, OSError, EOFError, NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        # openpyxl has no error of its own for a damaged workbook.
        raise Unreadable("bad_workbook") from error


def _text(cell: Any) -> str:
    """Return what a cell shows; a formula as it is written, never what it would compute."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)[:_MOST_CELL]
