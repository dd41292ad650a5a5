"""Statements on paper: what the PDF says, on how many pages, and who may fetch it."""

import base64
import re
import zlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from tests.factories import NOW, Town
from tests.ledger.factories import member_account
from tests.ledger.test_api import client
from timebank.ledger import statements
from timebank.ledger.models import Account
from timebank.ledger.services import Move, hold, post

pytestmark = pytest.mark.django_db
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def a(town: Town) -> Account:
    Member.objects.update(language="en")
    with unit_of_work(now=NOW):
        return member_account(town.community, member=town.volunteers[0], amount=500)


@pytest.fixture
def b(town: Town) -> Account:
    with unit_of_work(now=NOW):
        return member_account(town.community, member=town.volunteers[1])


def given(a: Account, b: Account, *, count: int, memo: str = "") -> None:
    with unit_of_work(now=NOW):
        for at in range(count):
            post(
                actor=None, key=f"p{at}", reason="given", moves=[Move(a.pk, b.pk, 1)],
                now=NOW, memo=memo,
            )  # fmt: skip


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if code.isdigit() else {b"n": b"\n", b"r": b"\r"}.get(code, code)


def pages_of(pdf: bytes) -> list[list[str]]:
    """Return what each page of a PDF draws, string by string."""
    assert pdf.startswith(b"%PDF-")
    pages = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        text = zlib.decompress(base64.a85decode(b"<~" + stream.strip(), adobe=True))
        drawn = re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", text, re.DOTALL)
        pages.append([_ESCAPED.sub(_unescaped, one).decode("utf-16-be") for one in drawn])
    return pages


def test_a_statement_on_paper(town: Town, a: Account, b: Account) -> None:
    given(a, b, count=1, memo="谢谢 你\n𠮷")
    with unit_of_work(now=NOW):
        hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=100, now=NOW, source=("x", 1))
    for path, headers in (("?format=pdf", {}), ("", {"Accept": "application/pdf"})):
        answer = client(a.member).get(f"/api/v1/accounts/{a.pk}/statement{path}", headers=headers)
        assert answer["Content-Type"] == "application/pdf"
        assert answer["Content-Disposition"].endswith(
            f'filename="statement-{a.pk}-2026-05-03-2026-06-01.pdf"'
        )
        (page,) = pages_of(answer.content)
        for words in (
            town.community.name, str(a.member), str(a.pk), "At the start", "0.00", "4.99",
            "For hours you gave", "+5.00", "2026-06-01 14:00", "-0.01", "谢谢 你 □", "(1.00)",
            "Page 1 of 1",
        ):  # fmt: skip
            assert words in page, words
    Member.objects.update(language="zh-hans")
    in_chinese = Client()
    in_chinese.force_login(town.volunteers[0], backend="grids.people.backends.MemberBackend")
    answer = in_chinese.get("/credits/statement/?format=pdf")
    assert {"账户明细", "第 1 页，共 1 页"} <= set(pages_of(answer.content)[0])


def test_pages_break_and_none_is_lost(town: Town, a: Account, b: Account) -> None:
    given(a, b, count=90, memo="很长的附言" * 8)
    pages = pages_of(client(a.member).get(f"/api/v1/accounts/{a.pk}/statement?format=pdf").content)
    assert len(pages) > 3
    assert sum(page.count("-0.01") for page in pages) == 90
    assert [page[-1] for page in pages] == [
        f"Page {n} of {len(pages)}" for n in range(1, len(pages) + 1)
    ]
    assert all("Balance after" in page for page in pages)
    empty = client(a.member).get(
        f"/api/v1/accounts/{a.pk}/statement?format=pdf&from=2020-01-01&to=2020-01-02"
    )
    assert "Nothing in these days" in pages_of(empty.content)[0]


def test_too_many_lines_ask_for_a_shorter_period(
    town: Town, a: Account, b: Account, monkeypatch: Any
) -> None:
    given(a, b, count=2)
    monkeypatch.setattr(statements, "MOST_LINES_PRINTED", 2)
    path = f"/api/v1/accounts/{a.pk}/statement?format=pdf"
    refused = client(a.member).get(path)
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert "shorter period" in refused.json()["errors"]["from"][0]
    page = Client()
    page.force_login(town.volunteers[0], backend="grids.people.backends.MemberBackend")
    back = page.get("/credits/statement/?format=pdf", follow=True)
    assert "shorter period" in back.content.decode()
    tomorrow = (NOW + timedelta(days=1)).date()
    assert client(a.member).get(f"{path}&from={tomorrow}&to={tomorrow}").status_code == 200


def test_only_who_may_read_the_account(town: Town, a: Account, b: Account) -> None:
    path = f"/api/v1/accounts/{a.pk}/statement?format=pdf"
    assert client(b.member).get(path).status_code == 404
    assert client(None).get(path).status_code == 401
    assert client(a.member).get(f"{path}&from=x").json()["errors"].keys() == {"from"}


def test_the_page_links_to_the_paper(town: Town, a: Account) -> None:
    page = Client()
    page.force_login(town.volunteers[0], backend="grids.people.backends.MemberBackend")
    html = page.get("/credits/statement/").content.decode()
    url = re.search(r'href="(\?account=[^"]+format=pdf)"', html)
    assert url
    answer = page.get("/credits/statement/" + url[1].replace("&amp;", "&"))
    assert answer["Content-Type"] == "application/pdf"
    assert "+5.00" in pages_of(answer.content)[0]
