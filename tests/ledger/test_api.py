"""Accounts, statements and giving over HTTP."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from common.spreadsheets import safe_cell
from common.unit_of_work import unit_of_work
from grids.people.models import Household, Member, Proxy
from grids.people.registries import erasers, export_parts, me_parts
from tests.factories import (
    NOW,
    CommunityFactory,
    MemberFactory,
    OrganisationFactory,
    Town,
    grant,
)
from tests.ledger.factories import member_account
from timebank.ledger.models import Account, Transfer
from timebank.ledger.personal import erase
from timebank.ledger.seals import seal_ledger, verify_proof
from timebank.ledger.services import Move, OpenHolds, ensure_account, hold, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def a(town: Town) -> Account:
    with unit_of_work(now=NOW):
        return member_account(town.community, member=town.volunteers[0], amount=500)


@pytest.fixture
def b(town: Town) -> Account:
    with unit_of_work(now=NOW):
        return member_account(town.community, member=town.volunteers[1])


def client(member: Member | None) -> APIClient:
    made = APIClient()
    made.force_authenticate(Member.objects.get(pk=member.pk) if member else None)
    return made


def give(member: Member, body: Any, key: str = "k") -> Any:
    return client(member).post(
        "/api/v1/transfers", body, format="json", headers={"Idempotency-Key": key}
    )


def status(member: Member, account: Account, part: str = "") -> int:
    return int(client(member).get(f"/api/v1/accounts/{account.pk}{part}").status_code)


def test_who_sees_an_account(town: Town, a: Account) -> None:
    proxy, auditor, elsewhere, family = (
        MemberFactory(community=town.community) for _number in range(4)
    )
    Proxy.objects.create(member=a.member, proxy=proxy, starts_on=date(2020, 1, 1))
    grant(auditor, "auditor", community=town.community.parent)
    grant(elsewhere, "bookkeeper", community=CommunityFactory())
    for member in (a.member, proxy, auditor, town.bookkeeper):
        for part in ("", "/transfers", "/statement"):
            assert status(member, a, part) == 200
    for member in (elsewhere, town.captain, town.volunteers[1], family):
        for part in ("", "/transfers", "/statement"):
            assert status(member, a, part) == 404
    assert status(a.member, Account(pk=10**9)) == 404
    pot = Household.objects.create(community=town.community, name="王家")
    Member.objects.filter(pk=family.pk).update(household=pot)
    with unit_of_work(now=NOW):
        shared = ensure_account(community=town.community, kind="household", household=pot, now=NOW)
        shop = OrganisationFactory(community=town.community)
        till = ensure_account(community=town.community, kind="partner", organisation=shop, now=NOW)
    assert status(family, shared) == 200
    assert status(a.member, shared) == 404
    assert status(proxy, till) == 404
    grant(proxy, "partner_staff", organisation=shop)
    assert status(proxy, till) == 200
    # Whoever serves at all the shops of a place sees their accounts, and nobody's purse.
    everywhere, beside = MemberFactory(), MemberFactory()
    grant(everywhere, "partner_staff", community=town.community.parent)
    grant(beside, "partner_staff", community=CommunityFactory(parent=town.community.parent))
    assert [status(everywhere, account) for account in (till, shared, a)] == [200, 404, 404]
    assert [status(beside, account) for account in (till, shared, a)] == [404, 404, 404]
    assert client(None).get(f"/api/v1/accounts/{a.pk}").status_code == 401


def test_giving(town: Town, a: Account, b: Account) -> None:
    made = give(a.member, {"to": b.pk, "amount": "1.5", "memo": "谢谢"})
    assert made.status_code == 201
    assert (made.json()["amount"], made.json()["to"]) == ("1.50", b.pk)
    again = give(a.member, {"to": b.pk, "amount": "1.5", "memo": "谢谢"})
    assert again.json() == made.json()
    lines = client(b.member).get(f"/api/v1/accounts/{b.pk}/transfers").json()["results"]
    assert lines[0] | {"id": 0, "posting": 0} == {
        "id": 0, "posting": 0, "at": "2026-06-01T06:00:00Z", "reason": "given",
        "text": lines[0]["text"], "memo": "谢谢", "phase": "posted", "direction": "in",
        "moved": True, "amount": "1.50", "balance": "1.50",
        "other": {"id": a.pk, "name": a.member.display_name}, "reverses": None, "hold": None,
    }  # fmt: skip


def test_what_giving_may_be_refused_for(town: Town, a: Account, b: Account) -> None:
    with unit_of_work(now=NOW):
        stranger = member_account(CommunityFactory())
        issue = ensure_account(community=town.community, kind="issue", now=NOW)

    def refusal(to: int, amount: str = "1", key: str = "k") -> tuple[int, str]:
        answer = give(a.member, {"to": to, "amount": amount}, key)
        return answer.status_code, answer.json()["code"]

    assert refusal(b.pk, "5.01") == (409, "insufficient_credits")
    assert refusal(a.pk) == (400, "invalid")
    assert refusal(stranger.pk) == (404, "not_found")
    assert refusal(issue.pk) == (404, "not_found")
    assert refusal(10**9) == (404, "not_found")
    assert refusal(b.pk, "1.005") == (400, "invalid")
    assert refusal(b.pk, "-1") == (400, "invalid")
    assert refusal(b.pk, "999999999999.99") == (409, "insufficient_credits")
    lost = MemberFactory(community=None)
    assert give(lost, {"to": b.pk, "amount": "1"}).status_code == 404
    assert Transfer.objects.count() == 1


def test_a_chosen_key_can_not_pass_for_ours(town: Town, a: Account, b: Account) -> None:
    with unit_of_work(a.member, now=NOW):
        hold(
            actor=a.member, key="booking:1:hold", debit=a.pk, credit=b.pk, amount=5, now=NOW,
            source=("x", 1),
        )  # fmt: skip
    assert give(a.member, {"to": b.pk, "amount": "1"}, "booking:1:hold").status_code == 201


def test_a_hold_is_a_line_of_the_payer_alone(town: Town, a: Account, b: Account) -> None:
    with unit_of_work(now=NOW):
        hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=5, now=NOW, source=("x", 1))
    page = client(a.member).get(f"/api/v1/accounts/{a.pk}/transfers").json()
    assert [(line["phase"], line["moved"]) for line in page["results"]] == [
        ("pending", False), ("posted", True),
    ]  # fmt: skip
    assert client(b.member).get(f"/api/v1/accounts/{b.pk}/transfers").json()["results"] == []


def test_lists_cost_the_same_queries_however_long(a: Account, b: Account) -> None:
    counts = []
    member = Member.objects.get(pk=a.member_id)
    for number in (1, 3):
        with unit_of_work(now=NOW):
            for each in range(number):
                post(
                    actor=None, key=f"{number}{each}", reason="given",
                    moves=[Move(a.pk, b.pk, 1)], now=NOW,
                )  # fmt: skip
        reader = client(member)
        with CaptureQueriesContext(connection) as queries:
            reader.get(f"/api/v1/accounts/{a.pk}/transfers")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_statement_adds_up_and_proves_itself(town: Town, a: Account, b: Account) -> None:
    with unit_of_work(now=NOW):
        for day in range(3):
            post(
                actor=None, key=f"p{day}", reason="given", moves=[Move(a.pk, b.pk, 10)],
                now=NOW + timedelta(days=day),
            )  # fmt: skip
        seal_ledger(ledger=a.ledger, now=NOW)
    path = f"/api/v1/accounts/{a.pk}/statement"
    data = (
        client(a.member).get(path, {"from": "2026-06-02", "to": "2026-06-02", "proofs": "1"}).json()
    )
    assert (data["opening"], data["closing"], len(data["lines"])) == ("4.90", "4.80", 1)
    assert verify_proof(data["lines"][0]["proof"])
    month = client(a.member).get(path).json()
    assert (month["opening"], month["closing"], month["complete"]) == ("0.00", "4.90", True)
    issue = Account.objects.get(kind="issue", ledger=a.ledger)
    books = client(town.bookkeeper).get(f"/api/v1/accounts/{issue.pk}/statement").json()
    assert (books["closing"], books["account"]["balance"]) == ("-5.00", "-5.00")
    for query in ({"from": "x"}, {"from": "2026-06-02", "to": "2026-06-01"}):
        assert client(a.member).get(path, query).status_code == 400
    for query in ({"from": "0001-01-01"}, {"to": "9999-12-31"}, {"from": "9999-12-31"}):
        assert client(a.member).get(path, query).status_code in {200, 400}


def test_a_statement_for_spreadsheets_is_safe(town: Town, a: Account, b: Account) -> None:
    give(a.member, {"to": b.pk, "amount": "1", "memo": "=HYPERLINK(1)"})
    for answer in (
        client(a.member).get(f"/api/v1/accounts/{a.pk}/statement?format=csv"),
        client(a.member).get(f"/api/v1/accounts/{a.pk}/statement", headers={"Accept": "text/csv"}),
    ):
        assert answer["Content-Type"].startswith("text/csv")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows[2][3:] == ["'=HYPERLINK(1)", "", "1.00", "", "4.00"]
        assert rows[2][0].endswith("+08:00")
    hidden = client(b.member).get(f"/api/v1/accounts/{a.pk}/statement?format=csv")
    assert (hidden.status_code, hidden["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas_are_quoted(text: str) -> None:
    assert safe_cell(text) == "'" + text
    assert safe_cell("谢谢") == "谢谢"


def test_me_export_and_erasure(town: Town, a: Account, b: Account) -> None:
    assert me_parts["account"](a.member) == {
        "id": a.pk, "balance": "5.00", "held": "0.00", "available": "5.00",
    }  # fmt: skip
    newcomer = MemberFactory(community=town.community)
    assert me_parts["account"](newcomer)["balance"] == "0.00"
    assert me_parts["account"](MemberFactory(community=None)) is None
    (exported,) = export_parts["accounts"](a.member)
    assert [line["amount"] for line in exported["transfers"]] == ["5.00"]
    with unit_of_work(now=NOW):
        hold(actor=None, key="h", debit=a.pk, credit=b.pk, amount=5, now=NOW, source=("x", 1))
    with unit_of_work(now=NOW):
        for eraser in erasers:
            eraser(b.member, NOW)
    b.refresh_from_db()
    assert b.closed_at == NOW
    assert give(a.member, {"to": b.pk, "amount": "1"}).json()["code"] == "account_closed"
    with pytest.raises(OpenHolds), unit_of_work(now=NOW):
        erase(a.member, NOW)
