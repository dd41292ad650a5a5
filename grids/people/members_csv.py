"""Read a community's list of members from CSV, as spreadsheets really write it."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from grids.people.models import HolderClass
from grids.people.phones import parse_phone

COLUMNS = {
    "name": ("name", "姓名"),
    "phone": ("phone", "电话", "手机", "手机号"),
    "address": ("address", "地址", "住址"),
    "language": ("language", "语言"),
    "class": ("class", "类别"),
}
_LANGUAGES = {
    "zh": "zh-hans", "zh-cn": "zh-hans", "zh-hans": "zh-hans", "中文": "zh-hans",
    "en": "en", "english": "en", "英文": "en",
}  # fmt: skip
_CLASSES = {
    **{value: HolderClass(value) for value in HolderClass.values},
    "居民": HolderClass.RESIDENT,
    "党员": HolderClass.PARTY_MEMBER,
    "组织": HolderClass.ORGANISATION,
    "企业": HolderClass.FIRM,
    "儿童": HolderClass.CHILD,
}


class Unreadable(Exception):
    """The file as a whole can't be read; the message says why."""


@dataclass(frozen=True)
class Fault:
    """What is wrong in which row (as a spreadsheet counts, the header is 1) and column."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}: {self.message}"


@dataclass(frozen=True)
class MemberRow:
    """One good row; `phone` in E.164 or None, `address` as written."""

    row: int
    name: str
    phone: str | None
    address: str
    language: str
    holder_class: HolderClass


@dataclass(frozen=True)
class Reading:
    """Good rows, faults, and the columns that were left aside."""

    rows: list[MemberRow]
    faults: list[Fault]
    ignored: list[str]


def read_members(path: Path) -> Reading:
    """Read the file; raise Unreadable when it is no CSV with at least a `name` column."""
    try:
        text = _decode(path.read_bytes())
    except OSError as error:
        raise Unreadable(error.strerror or "can't be opened") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        records = list(reader)
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: {error}") from error
    header = records[0] if records else []
    places, ignored = _places(header)
    if "name" not in places:
        raise Unreadable(f"the first row names no column 'name', but: {', '.join(header)[:200]}")
    reading = Reading([], [], ignored)
    for number, record in enumerate(records[1:], start=2):
        if any(cell.strip() for cell in record):
            _read_row(reading, number, record, places)
    return reading


def _decode(data: bytes) -> str:
    """Read UTF-8 with or without its mark, UTF-16 with its mark, else Excel's Chinese GB18030."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("the text is neither UTF-8 nor GB18030")


def _places(header: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return where each known column stands, and the names of the others."""
    places: dict[str, int] = {}
    ignored = []
    for index, title in enumerate(header):
        wanted = title.strip().casefold()
        column = next((name for name, titles in COLUMNS.items() if wanted in titles), None)
        if column is None:
            ignored.append(title.strip() or f"#{index + 1}")
        elif column in places:
            raise Unreadable(f"the column {column!r} is there twice")
        else:
            places[column] = index
    return places, ignored


def _read_row(reading: Reading, number: int, record: list[str], places: dict[str, int]) -> None:
    faults: list[Fault] = []

    def cell(column: str) -> str:
        index = places.get(column)
        return " ".join(record[index].split()) if index is not None and index < len(record) else ""

    def fault(column: str, message: str) -> None:
        faults.append(Fault(number, column, message))

    name = cell("name")
    if not name:
        fault("name", "is empty")
    elif len(name) > 80 or not name.isprintable():
        fault("name", "must be 1 to 80 printable characters")
    written = _plain_number(cell("phone"))
    phone = parse_phone(written, strict=True) if written else None
    if re.fullmatch(r"[0-9.,]+[eE]\+?[0-9]+", written):
        fault("phone", f"{written} was rounded by the spreadsheet; format the column as text")
    elif written and phone is None:
        fault("phone", f"{written!r} is no phone number")
    language = _LANGUAGES.get(cell("language").casefold() or settings.LANGUAGE_CODE)
    if language is None:
        fault("language", f"{cell('language')!r} is none of zh-hans, en")
    holder_class = _CLASSES.get(cell("class").casefold() or HolderClass.RESIDENT)
    if holder_class is None:
        fault("class", f"{cell('class')!r} is none of {', '.join(HolderClass.values)}")
    reading.faults.extend(faults)
    if not faults and language is not None and holder_class is not None:
        reading.rows.append(MemberRow(number, name, phone, cell("address"), language, holder_class))


def _plain_number(text: str) -> str:
    """Undo how spreadsheets protect digits: '138… and ="138…"."""
    protected = re.fullmatch(r'="?([^"]*)"?', text)
    return (protected[1] if protected else text).lstrip("'").strip()
