"""Read a community's list of members from CSV or XLSX."""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from common.spreadsheets import plain_cell
from grids.people import member_words  # noqa: F401 (gives the findings their words)
from grids.people.models import HolderClass
from grids.people.phones import parse_phone
from grids.people.tables import read_table
from grids.places.findings import Findings, Unreadable

COLUMNS = {
    "name": ("name", "full name", "姓名", "名字", "居民姓名"),
    "phone": (
        "phone", "mobile", "电话", "手机", "手机号", "手机号码", "电话号码", "联系电话",
    ),
    "address": ("address", "home", "地址", "住址", "家庭住址", "居住地址", "详细地址"),
    "language": ("language", "语言"),
    "class": ("class", "类别", "人员类别"),
}  # fmt: skip
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
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and some signs need them inside a name


@dataclass(frozen=True)
class MemberRow:
    """One good row; `phone` in E.164 or None, `given` the columns that were filled in."""

    row: int
    name: str
    phone: str | None
    address: str
    language: str
    holder_class: HolderClass
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reading:
    """Good rows, what was found, and the columns that were left aside."""

    rows: list[MemberRow] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    ignored: list[str] = field(default_factory=list)


def read_members(path: Path) -> Reading:
    """Read the file; one that is no table with at least a `name` column has one finding."""
    reading = Reading()
    try:
        records = read_table(path)
        places = _places(records[0] if records else [], reading)
    except Unreadable as error:
        reading.findings.append(error.finding)
        return reading
    for number, record in enumerate(records[1:], start=2):
        if any(cell.strip() for cell in record):
            _read_row(reading, number, record, places)
    if not reading.rows and not reading.findings.errors:
        reading.findings.add(0, "", "no_rows")
    return reading


def _places(header: list[str], reading: Reading) -> dict[str, int]:
    """Return where each known column stands; note the names of the others."""
    places: dict[str, int] = {}
    for index, title in enumerate(header):
        wanted = " ".join(unicodedata.normalize("NFKC", title).casefold().split()).strip("*:")
        column = next((name for name, titles in COLUMNS.items() if wanted in titles), None)
        if column is None:
            reading.ignored.append(title.strip() or f"#{index + 1}")
        elif column in places:
            raise Unreadable("column_twice", column=column)
        else:
            places[column] = index
    if "name" not in places:
        raise Unreadable("no_name_column", found=", ".join(header)[:200])
    return places


def _read_row(reading: Reading, number: int, record: list[str], places: dict[str, int]) -> None:
    findings, before = reading.findings, reading.findings.errors

    def cell(column: str) -> str:
        index = places.get(column)
        found = record[index] if index is not None and index < len(record) else ""
        return " ".join(plain_cell(found).split())

    name = cell("name")
    if not name:
        findings.add(number, "name", "name_empty")
    elif len(name) > 80 or not _is_name(name):
        findings.add(number, "name", "name_unprintable")
    written = _plain_number(cell("phone"))
    phone = parse_phone(written, strict=True) if written else None
    if re.fullmatch(r"[0-9.,]+[eE]\+?[0-9]+", written):
        findings.add(number, "phone", "phone_rounded", phone=written)
    elif written and phone is None:
        findings.add(number, "phone", "no_phone", phone=written[:40])
    language = _LANGUAGES.get(cell("language").casefold() or settings.LANGUAGE_CODE)
    if language is None:
        findings.add(number, "language", "no_language", value=cell("language")[:40])
    holder_class = _CLASSES.get(cell("class").casefold() or HolderClass.RESIDENT)
    if holder_class is None:
        allowed = ", ".join(HolderClass.values)
        findings.add(number, "class", "no_class", value=cell("class")[:40], allowed=allowed)
    if findings.errors == before and language is not None and holder_class is not None:
        given = frozenset(column for column in places if cell(column))
        reading.rows.append(
            MemberRow(
                number, name, phone, cell("address")[:200], language, holder_class, given=given
            )
        )


def _is_name(text: str) -> bool:
    """Take names in any script: only control characters and invisible marks are refused.

    Private and new characters stay: rare hanzi are written with them.
    """
    return not any(
        unicodedata.category(one) in {"Cc", "Cs", "Cf", "Zl", "Zp"} and one not in _JOINERS
        for one in text
    ) and any(not one.isspace() and one not in _JOINERS for one in text)


def _plain_number(text: str) -> str:
    """Undo how spreadsheets protect digits: '138… and ="138…"; and labels such as tel:."""
    protected = re.fullmatch(r'="?([^"]*)"?', text)
    text = (protected[1] if protected else text).lstrip("'").strip()
    return re.sub(r"^(tel|电话|手机)\s*[:：]\s*", "", text, flags=re.IGNORECASE)
