"""Sign-in, one's own record, and who is let in."""

import secrets

import httpx
import pytest

from tests.contract.site import Person, Site, assert_problem, at_once

READS = [
    "me", "me/export", "me/pay-code", "communities", "cells?community=1",
    "cells/locate?lat=1&lon=1",
    "shifts", "shifts/1", "shifts/1/replacements", "rosters/1", "hours", "accounts/1",
    "accounts/1/transfers", "accounts/1/statement", "offers",
]  # fmt: skip
WRITES = [
    "shifts", "shifts/1/claim", "shifts/1/release", "shifts/1/assign", "rosters",
    "rosters/1/apply", "checkins", "hours/1/approve", "hours/1/reject", "transfers", "bookings",
    "bookings/1/cancel", "redemptions", "charges",
]  # fmt: skip


def codes(site: Site, phone: object) -> httpx.Response:
    return site.http.post("/api/v1/auth/codes", json={"phone": phone})


def tokens(site: Site, phone: str, code: object) -> httpx.Response:
    return site.http.post("/api/v1/auth/tokens", json={"phone": phone, "code": code})


def test_sign_in_by_code(site: Site, volunteers: list[Person]) -> None:
    person = volunteers[-1]
    sent = codes(site, person.phone)
    assert sent.status_code == 202
    wrong = "000000" if site.sms_code(person.phone) != "000000" else "111111"
    assert_problem(tokens(site, person.phone, wrong), 400, "wrong_code")
    answer = tokens(site, person.phone, site.sms_code(person.phone))
    assert answer.status_code == 201
    me = site.http.get(
        "/api/v1/me", headers={"Authorization": f"Token {answer.json()['token']}"}
    ).json()
    assert me["id"] == person.id
    # A code is used once.
    assert_problem(tokens(site, person.phone, site.sms_code(person.phone)), 400, "wrong_code")


def test_the_same_answer_whether_the_phone_is_known(site: Site, volunteers: list[Person]) -> None:
    unknown = f"+86139{secrets.randbelow(10**8):08d}"
    known, other = codes(site, volunteers[-2].phone), codes(site, unknown)
    assert (known.status_code, known.json()) == (other.status_code, other.json())
    same = {"date", "x-request-id"}
    assert {k: v for k, v in known.headers.items() if k not in same} == {
        k: v for k, v in other.headers.items() if k not in same
    }
    assert unknown not in site.said()
    assert_problem(tokens(site, unknown, "123456"), 400, "wrong_code")


def test_a_code_is_tried_five_times(site: Site, volunteers: list[Person]) -> None:
    person = volunteers[-3]
    assert codes(site, person.phone).status_code == 202
    right = site.sms_code(person.phone)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    for _ in range(5):
        assert_problem(tokens(site, person.phone, wrong), 400, "wrong_code")
    assert_problem(tokens(site, person.phone, right), 400, "code_expired")


def test_twenty_uses_of_one_code_make_one_token(site: Site, volunteers: list[Person]) -> None:
    person = volunteers[-4]
    assert codes(site, person.phone).status_code == 202
    code = site.sms_code(person.phone)
    answers = at_once([lambda: tokens(site, person.phone, code)] * 20)
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 19


def test_too_many_codes_for_one_phone(site: Site, volunteers: list[Person]) -> None:
    answers = at_once([lambda: codes(site, volunteers[-5].phone)] * 6)
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_problem(refused, 429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 600


@pytest.mark.parametrize(
    "phone",
    ["", "abc", None, 5, [], {}, True, "+8613800000000\x00", "１３８", "1" * 5000],
)
def test_what_is_no_phone(site: Site, phone: object) -> None:
    import json

    answer = site.http.post(
        "/api/v1/auth/codes",
        content=json.dumps({"phone": phone}),
        headers={"Content-Type": "application/json"},
    )
    assert_problem(answer, 400, field="phone")


def test_me(captain: Person, volunteers: list[Person], elder: Person) -> None:
    for person in (captain, elder, *volunteers[:3], volunteers[-1]):
        me = person.get("me")
        assert me["id"] == person.id
        assert me["name"]
        assert set(me["account"]) >= {"id", "balance", "held", "available"}
        for name in ("balance", "held", "available"):
            assert isinstance(me["account"][name], str)
            assert len(me["account"][name].partition(".")[2]) == 2
    assert "captain" in {role["kind"] for role in captain.get("me")["roles"]}
    assert volunteers[0].get("me")["roles"] == []


def test_export_holds_ones_own_data_only(volunteers: list[Person]) -> None:
    mine, other = volunteers[0], volunteers[1]
    text = mine.call("GET", "me/export").text
    assert mine.phone in text
    assert other.phone not in text
    assert mine.token not in text


def test_erasure(site: Site, volunteers: list[Person], captain: Person) -> None:
    person = volunteers[-6]
    for shift in volunteers[-6].get("shifts", page_size=200)["results"]:
        detail = person.get(f"shifts/{shift['id']}")
        if any((seat["member"] or {}).get("id") == person.id for seat in detail["seats"]):
            person.post(f"shifts/{shift['id']}/release")
    answer = person.call("DELETE", "me")
    assert answer.status_code == 204, answer.text
    assert_problem(person.call("GET", "me"), 401)


@pytest.mark.parametrize("path", READS)
def test_nobody_reads_without_a_token(site: Site, path: str) -> None:
    answer = site.http.get(f"/api/v1/{path}")
    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", WRITES)
def test_nobody_writes_without_a_token(site: Site, path: str) -> None:
    for body in ({}, None, []):
        assert_problem(
            site.http.post(f"/api/v1/{path}", json=body, headers={"Idempotency-Key": "k"}), 401
        )


@pytest.mark.parametrize(
    "header",
    [
        "Token",
        "Token x",
        "Token a b",
        "Token \xff\xfe",
        "Bearer x",
        "Token " + "x" * 5000,
    ],
)
def test_bad_tokens(site: Site, header: str) -> None:
    answer = site.http.get("/api/v1/me", headers={"Authorization": header.encode("latin1")})
    assert_problem(answer, 401)


def test_nobody_erases_without_a_token(site: Site) -> None:
    assert_problem(site.http.delete("/api/v1/me"), 401)
