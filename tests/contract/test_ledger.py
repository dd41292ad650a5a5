"""Accounts, statements and gifts."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.contract.site import Person, assert_problem, at_once


def hundredths(text: str) -> int:
    whole, _, rest = text.partition(".")
    assert len(rest) == 2, text
    return int(whole.lstrip("-") + rest) * (-1 if text.startswith("-") else 1)


def test_own_account(rich: list[Person], bookkeeper: Person, auditor: Person) -> None:
    person = rich[0]
    mine = person.account()
    account = person.get(f"accounts/{mine['id']}")
    assert {name: account[name] for name in mine} == mine
    for keeper in (bookkeeper, auditor):
        assert keeper.get(f"accounts/{mine['id']}")["balance"] == mine["balance"]


def test_other_peoples_accounts_are_not_there(
    rich: list[Person], volunteers: list[Person], captain: Person, kitchen: Person
) -> None:
    number = rich[0].account()["id"]
    for person in (volunteers[20], captain, kitchen):
        for part in ("", "/transfers", "/statement", "/statement?format=csv"):
            assert_problem(person.call("GET", f"accounts/{number}{part}"), 404)
    assert_problem(rich[0].call("GET", "accounts/987654321"), 404)
    assert_problem(rich[0].call("GET", "accounts/" + "9" * 40), 404)


def test_lines_add_up(rich: list[Person]) -> None:
    person = rich[1]
    account = person.account()
    page = person.get(f"accounts/{account['id']}/transfers", page_size=200)
    assert set(page) == {"next", "previous", "results"}
    total = 0
    for line in page["results"]:
        assert datetime.fromisoformat(line["at"]).tzinfo
        if line["moved"]:
            total += hundredths(line["amount"]) * (1 if line["direction"] == "in" else -1)
    assert total == hundredths(account["balance"])


def test_statement(rich: list[Person]) -> None:
    person = rich[1]
    account = person.account()
    path = f"accounts/{account['id']}/statement"
    found = person.get(path)
    moved = sum(
        hundredths(line["amount"]) * (1 if line["direction"] == "in" else -1)
        for line in found["lines"]
        if line["moved"]
    )
    assert hundredths(found["opening"]) + moved == hundredths(found["closing"])
    assert found["closing"] == account["balance"]
    for options in ({"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}):
        sheet = person.call("GET", path, **options)
        assert sheet.status_code == 200
        assert sheet.headers["Content-Type"].startswith("text/csv")
        rows = list(csv.reader(io.StringIO(sheet.text.lstrip("\ufeff"))))
        assert len(rows) == len(found["lines"]) + 1
    empty = person.get(path, **{"from": "2001-01-01", "to": "2001-01-31"})
    assert (empty["opening"], empty["closing"], empty["lines"]) == ("0.00", "0.00", [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "from"), ("to=2026-02-30", "to"), ("from=0001-01-01", "from"),
        ("to=9999-12-31", "to"), ("from=2026-02-01&to=2026-01-01", "to"), ("from=%00", "from"),
        ("from=5", "from"), ("to=2026-01-01T10:00:00Z", "to"),
    ],
)  # fmt: skip
def test_bad_periods(rich: list[Person], query: str, field: str) -> None:
    path = f"accounts/{rich[0].account()['id']}/statement"
    assert_problem(rich[0].call("GET", f"{path}?{query}"), 400, field=field)
    assert_problem(
        rich[0].call("GET", f"{path}?{query}", headers={"Accept": "text/csv"}), 400, field=field
    )


def test_give(rich: list[Person], volunteers: list[Person]) -> None:
    giver, taker = rich[2], volunteers[30]
    to = taker.account()
    before = giver.account()
    body = {"to": to["id"], "amount": "0.05", "memo": "=cmd|' /C calc'!A0 谢谢"}
    assert_problem(giver.post("transfers", body), 400, "idempotency_key_required")
    made = giver.post("transfers", body, key="gift")
    assert made.status_code == 201, made.text
    assert made.json()["amount"] == "0.05"
    again = giver.post("transfers", body, key="gift")
    assert (again.status_code, again.json()) == (201, made.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(
        giver.post("transfers", {**body, "amount": "0.06"}, key="gift"), 422,
        "idempotency_key_reused",
    )  # fmt: skip
    assert hundredths(giver.account()["balance"]) == hundredths(before["balance"]) - 5
    assert hundredths(taker.account()["balance"]) == hundredths(to["balance"]) + 5
    # The same key of somebody else is another key.
    other = rich[1].post("transfers", body, key="gift")
    assert other.status_code == 201
    sheet = taker.call("GET", f"accounts/{to['id']}/statement", params={"format": "csv"}).text
    assert "'=cmd" in sheet


def test_insufficient(rich: list[Person], volunteers: list[Person]) -> None:
    giver = rich[3]
    have = hundredths(giver.account()["available"])
    to = volunteers[31].account()["id"]
    for amount in (f"{have // 100 + 1}.00", "999999999.99", "21474836.48", "999999999999.99"):
        answer = giver.post("transfers", {"to": to, "amount": amount}, key="new")
        assert_problem(answer, 409, "insufficient_credits")


def test_a_purse_is_emptied_once(rich: list[Person], volunteers: list[Person]) -> None:
    giver = rich[4]
    account = giver.account()
    to = volunteers[32].account()
    body = {"to": to["id"], "amount": account["available"]}
    answers = at_once([lambda: giver.post("transfers", body, key="new")] * 12)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "insufficient_credits")
    assert giver.account()["available"] == "0.00"
    assert volunteers[32].account()["balance"] != to["balance"]


def test_twenty_times_the_same_gift(rich: list[Person], volunteers: list[Person]) -> None:
    giver, to = rich[5], volunteers[33].account()
    body = {"to": to["id"], "amount": "0.01"}
    answers = at_once([lambda: giver.post("transfers", body, key="one-gift")] * 20)
    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.json() == answers[0].json() for answer in answers)
    now = hundredths(volunteers[33].account()["balance"])
    assert now == hundredths(to["balance"]) + 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "0.00"}, "amount"), ({"amount": "-1"}, "amount"), ({"amount": 1.5}, "amount"),
        ({"amount": "1.505"}, "amount"), ({"amount": "1e3"}, "amount"), ({"amount": ""}, "amount"),
        ({"amount": None}, "amount"), ({"amount": []}, "amount"), ({"amount": {}}, "amount"),
        ({"amount": "１"}, "amount"), ({"amount": "9" * 400}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": 10**30}, "amount"), ({"amount": True}, "amount"),
        ({"amount": "1\x00"}, "amount"),
        ({"to": None}, "to"), ({"to": "x"}, "to"), ({"to": [1]}, "to"), ({"to": 10**30}, "to"),
        ({"to": -1}, "to"), ({"to": 1.5}, "to"), ({"to": "１"}, "to"),
        ({"memo": "x" * 5000}, "memo"), ({"memo": "a\x00"}, "memo"), ({"memo": []}, "memo"),
    ],
)  # fmt: skip
def test_what_is_no_gift(
    rich: list[Person], volunteers: list[Person], change: dict[str, Any], field: str
) -> None:
    import json

    body = {"to": volunteers[34].account()["id"], "amount": "0.01", **change}
    answer = rich[0].call(
        "POST", "transfers", key="new", content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert_problem(answer, 400, field=field)


def test_gifts_to_nobody(rich: list[Person], kitchen: Person) -> None:
    giver = rich[0]
    assert_problem(giver.post("transfers", {"to": 987654321, "amount": "0.01"}, key="new"), 404)
    own = giver.account()["id"]
    assert_problem(giver.post("transfers", {"to": own, "amount": "0.01"}, key="new"), 400)


def test_a_keeper_reads_but_cannot_spend(
    bookkeeper: Person, rich: list[Person], volunteers: list[Person]
) -> None:
    before = rich[0].account()
    to = volunteers[35].account()["id"]
    bookkeeper.post("transfers", {"to": to, "amount": "0.01", "from": before["id"]}, key="new")
    assert rich[0].account() == before


def test_statement_of_today_is_in_local_days(rich: list[Person]) -> None:
    account = rich[2].account()["id"]
    today = datetime.now(UTC).date()
    found = rich[2].get(
        f"accounts/{account}/statement",
        **{"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))},
    )
    assert date.fromisoformat(found["from"]) <= today
