"""Tables as spreadsheets write them: CSV in its forms, workbooks, and files that mean harm."""

import csv
import io
import json
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from common.spreadsheets import RISKY, csv_text, plain_cell, safe_cell
from grids.people import tables
from grids.people.members_file import read_members
from grids.people.tables import read_table
from grids.places.findings import Unreadable

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", sorted(p.stem for p in DATA.glob("csv_spectrum/csvs/*.csv")))
def test_the_csv_spectrum_reads_as_it_should(name: str) -> None:
    expected = json.loads((DATA / f"csv_spectrum/json/{name}.json").read_text())
    if name == "location_coordinates":  # the set's own two halves differ here
        expected["Contact Phone Number"], expected = "2095257564", [expected]
    header, *rows = read_table(DATA / f"csv_spectrum/csvs/{name}.csv")
    assert [dict(zip(header, row, strict=True)) for row in rows] == expected


def workbook(path: Path, *rows: list[object]) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column, value)  # type: ignore[arg-type]
            if isinstance(value, str) and not value.startswith("=FORMULA"):
                cell.data_type = "s"
    book.save(path)
    return path


def test_a_workbook_is_read(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "m.xlsx",
        ["姓名", "手机号码", "住址"],
        ["王秀英", 13800000001, None],
        ["=1+1", 13800000002.0, None],
        ["李雷", "０１３８０００００００３".lstrip("０"), None],
    )
    reading = read_members(path)
    assert reading.findings.kept() == []
    assert [(row.name, row.phone) for row in reading.rows] == [
        ("王秀英", "+8613800000001"), ("=1+1", "+8613800000002"), ("李雷", "+8613800000003"),
    ]  # fmt: skip


def test_a_packed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/worksheets/sheet1.xml", "w") as file,
    ):
        for _ in range(210):
            file.write(b" " * (1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(Unreadable, match="unpacks_too_large"):
        read_table(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + b"x" * 500])
def test_a_damaged_workbook_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.xlsx"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="bad_workbook"):
        read_table(path)


def test_any_part_of_a_workbook_may_be_damaged(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "m.xlsx", ["name"], ["王"])
    with zipfile.ZipFile(whole) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    for name in parts:
        for damage in (b"", b"<a>", parts[name][: len(parts[name]) // 2]):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as packed:
                for each, content in parts.items():
                    packed.writestr(each, damage if each == name else content)
            (tmp_path / "d.xlsx").write_bytes(out.getvalue())
            reading = read_members(tmp_path / "d.xlsx")
            assert [row.name for row in reading.rows] in ([], ["王"])


def test_limits_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.csv"
    path.write_text("name\n" + "a\n" * 30)
    monkeypatch.setattr(tables, "MOST_ROWS", 20)
    with pytest.raises(Unreadable, match="too_many_rows"):
        read_table(path)
    monkeypatch.setattr(tables, "MOST_BYTES", 20)
    with pytest.raises(Unreadable, match="table_too_large"):
        read_table(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1")
    monkeypatch.undo()
    with pytest.raises(Unreadable, match="old_workbook"):
        read_table(path)


def test_naughty_names_are_kept_as_they_are_or_refused_with_a_reason(tmp_path: Path) -> None:
    lines = (DATA / "blns.txt").read_text(encoding="utf-8").split("\n")
    out = io.StringIO()
    csv.writer(out).writerows([["name", "phone"], *([line, ""] for line in lines)])
    path = tmp_path / "m.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    reading = read_members(path)
    refused = {one.row: one.code for one in reading.findings.kept()}
    taken = {row.row: row.name for row in reading.rows}
    for number, line in enumerate(lines, start=2):
        plain = " ".join(line.split())
        if not plain:
            continue
        if number in taken:
            assert taken[number] == " ".join(plain_cell(line).split())
        else:
            assert refused[number] in {"name_unprintable", "name_empty"}
            assert len(plain) > 80 or any(
                unicodedata.category(one).startswith(("C", "Z")) for one in line
            )
    assert len(taken) > 300


@pytest.mark.parametrize(
    "name", ["می‌خواهم", "👩‍👩‍👧", "O'Brien", "欧阳 娜娜", "\ue863", "ประเสริฐ", "José", "𠮷野"]
)
def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"name\n{name}\n", encoding="utf-8")
    assert [row.name for row in read_members(path).rows] == [name]


@pytest.mark.parametrize(
    "phone",
    [
        "13800000001", "+8613800000001", "+86 138 0000 0001", "0086 138-0000-0001",
        "8613800000001", "(+86) 13800000001", "１３８００００ ０００１", "+86-138-0000-0001",
        "138 0000 0001", "tel:13800000001", "手机：13800000001", "＋86 138 0000 0001",
    ],
)  # fmt: skip
def test_a_phone_in_any_common_form(tmp_path: Path, phone: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"name,phone\n王,{phone}\n", encoding="utf-8")
    assert [row.phone for row in read_members(path).rows] == ["+8613800000001"]


@given(st.text(max_size=12))
def test_no_cell_runs_and_every_cell_comes_back(text: str) -> None:
    safe = safe_cell(text)
    assert not safe.startswith(RISKY)
    assert plain_cell(safe) == text


@given(st.sampled_from(RISKY), st.text(max_size=5))
def test_written_tables_hold_no_formula(sign: str, text: str) -> None:
    written = csv_text([[sign + text, -1.5, "-2.50"]]).removeprefix("\ufeff")
    (row,) = csv.reader(io.StringIO(written, newline=""))
    assert not row[0].startswith(RISKY) or row[0].lstrip("-").replace(".", "").isdigit()
    assert row[1:] == ["-1.5", "-2.50"]
