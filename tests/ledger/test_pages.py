"""Credits, statement and giving as pages; the books in the admin."""

import re
from typing import Any

import pytest
import time_machine
from django.test import Client

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from tests.factories import NOW, MemberFactory, Town
from tests.ledger.factories import member_account
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import hold

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def account(town: Town) -> Account:
    with unit_of_work(now=NOW):
        account = member_account(town.community, member=town.volunteers[0], amount=500)
    Member.objects.update(language="en")
    return account


def browser(member: Member) -> Client:
    client = Client()
    client.force_login(member, backend="grids.people.backends.MemberBackend")
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_my_credits_in_plain_words(town: Town, account: Account) -> None:
    with unit_of_work(now=NOW):
        other = member_account(town.community, member=town.volunteers[1])
        hold(
            actor=None, key="h", debit=account.pk, credit=other.pk, amount=100, now=NOW,
            source=("x", 1),
        )  # fmt: skip
    me = browser(town.volunteers[0])
    page = text(me.get("/credits/"))
    assert "For hours you gave" in page
    assert "Kept for a booking at" in page
    assert "4.00" in page
    part = me.get("/credits/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    assert "All lines" in text(part)
    newcomer = MemberFactory(community=town.community, language="en")
    assert "Nothing yet" in text(browser(newcomer).get("/credits/"))
    lost = MemberFactory(community=None, language="en")
    assert browser(lost).get("/credits/").status_code == 404


def test_a_statement_page_and_its_file(town: Town, account: Account) -> None:
    me = browser(town.volunteers[0])
    page = me.get("/credits/statement/")
    assert "For hours you gave" in text(page)
    url = re.search(r'href="(\?account=[^"]+format=csv)"', page.content.decode())
    assert url
    answer = me.get("/credits/statement/" + url[1].replace("&amp;", "&"))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "5.00" in answer.content.decode()
    assert "+08:00" in answer.content.decode()
    assert "+00:00" not in answer.content.decode()
    assert "Nothing in these days" in text(
        me.get("/credits/statement/?start=2020-01-01&end=2020-01-02")
    )
    assert "before the first" in text(me.get("/credits/statement/?start=2020-01-02&end=2020-01-01"))
    for start in ("x", "0001-01-01", "9999-12-31"):
        assert me.get(f"/credits/statement/?start={start}").status_code == 200


def test_accounts_of_others_are_not_there(town: Town, account: Account) -> None:
    for member, status in ((town.volunteers[1], 404), (town.bookkeeper, 200)):
        for path in ("/credits/", "/credits/statement/"):
            answer = browser(member).get(f"{path}?account={account.pk}")
            assert answer.status_code == status
    assert browser(town.volunteers[0]).get("/credits/?account=x").status_code == 404


def test_giving_asks_twice_and_gives_once(town: Town, account: Account) -> None:
    me = browser(town.volunteers[0])
    neighbour = town.volunteers[1]
    assert me.get("/give/").status_code == 200
    body = {"phone": str(neighbour.phone), "amount": "1,5", "memo": "谢谢", "key": "k1"}
    asked = me.post("/give/", body)
    assert f"Give 1.50 credits to {neighbour.display_name}?" in text(asked)
    assert Posting.objects.count() == 1
    for _twice in range(2):
        done = me.post("/give/", {**body, "sure": "yes"})
        assert done["Location"] == "/credits/"
    assert Account.objects.get(member=neighbour).balance == 150
    assert f"A gift to {neighbour.display_name}" in text(me.get("/credits/"))


def test_going_back_and_changing_the_gift_asks_again_with_a_new_key(
    town: Town, account: Account
) -> None:
    me = browser(town.volunteers[0])
    body = {"phone": str(town.volunteers[1].phone), "amount": "1", "key": "k1", "sure": "yes"}
    me.post("/give/", body)
    again = me.post("/give/", {**body, "amount": "2"})
    assert again.status_code == 409
    assert "first gift was made already" in text(again)
    assert "Idempotency" not in text(again)
    assert Account.objects.get(member=town.volunteers[1]).balance == 100
    key = re.search(r'name="key" value="([0-9a-f]{32})"', again.content.decode())
    assert key
    assert 'value="2"' in again.content.decode()
    me.post("/give/", {**body, "amount": "2", "key": key[1]})
    assert Account.objects.get(member=town.volunteers[1]).balance == 300


def test_what_giving_says_no_to(town: Town, account: Account) -> None:
    me = browser(town.volunteers[0])
    far = MemberFactory(phone="+8613900009999")
    good = {"phone": str(town.volunteers[1].phone), "amount": "1", "key": "k", "sure": "yes"}
    for change, words in [
        ({"phone": str(far.phone)}, "Nobody in your community"),
        ({"phone": str(town.volunteers[0].phone)}, "your own number"),
        ({"amount": "0"}, "above 0"),
        ({"amount": "1e3"}, "above 0"),
        ({"amount": "9"}, "not enough credits"),
    ]:
        answer = me.post("/give/", {**good, **change})
        assert answer.status_code in {400, 409}
        assert words in text(answer), change
    assert Posting.objects.count() == 1


@pytest.mark.parametrize(("amount", "status"), [("5", 200), ("5.01", 400)])
def test_too_large_a_gift_is_refused_before_it_is_asked_again(
    town: Town, account: Account, amount: str, status: int
) -> None:
    body = {"phone": str(town.volunteers[1].phone), "amount": amount, "key": "k"}
    answer = browser(town.volunteers[0]).post("/give/", body)
    assert answer.status_code == status
    assert ("not enough credits" in text(answer)) == (status == 400)
    assert ("Yes, give them" in text(answer)) == (status == 200)


@pytest.mark.parametrize(
    "path", ["ledger/ledger", "ledger/account", "ledger/posting", "ledger/seal"]
)
def test_the_books_are_only_read_in_the_admin(town: Town, account: Account, path: str) -> None:
    chief = MemberFactory(is_staff=True, is_superuser=True, language="en")
    admin = browser(chief)
    assert admin.get(f"/admin/{path}/").status_code == 200
    assert admin.get(f"/admin/{path}/add/").status_code == 403
    posting = Posting.objects.get()
    assert admin.get(f"/admin/ledger/posting/{posting.pk}/change/").status_code == 200
    assert admin.post(f"/admin/ledger/posting/{posting.pk}/change/", {}).status_code == 403
    assert admin.post(f"/admin/ledger/posting/{posting.pk}/delete/", {}).status_code == 403
