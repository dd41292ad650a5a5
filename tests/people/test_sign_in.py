"""Codes by SMS: right once, dead after five tries or ten minutes, silent about who exists."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from common.errors import DomainError, NotFound, TooMany
from common.models import Audit, IdempotencyKey
from common.unit_of_work import unit_of_work
from grids.people import services
from grids.people.limits import client_address
from grids.people.models import ApiToken, LoginCode, Member
from grids.people.sms import Message
from tests.factories import NOW, MemberFactory

KNOWN = "+8613900000001"
UNKNOWN = "+8613900000002"
Capture = Callable[..., Any]


@pytest.fixture
def member(db: None) -> Member:
    return MemberFactory(phone=KNOWN, language="en")


@pytest.fixture
def ask(outbox: list[Message], django_capture_on_commit_callbacks: Capture) -> Callable[..., str]:
    """Ask for a code and return its digits ("" when nothing was sent)."""

    def do(phone: str = KNOWN, address: str = "10.0.0.1", **shift: float) -> str:
        sent = len(outbox)
        with django_capture_on_commit_callbacks(execute=True), unit_of_work() as work:
            services.request_code(phone=phone, address=address, now=work.now + timedelta(**shift))
        if len(outbox) == sent:
            return ""
        found = re.search(r"\d{6}", outbox[-1].text)
        assert found
        return found[0]

    return do


def try_code(code: str, phone: str = KNOWN, **shift: float) -> Member | str:
    with unit_of_work() as work:
        found = services.sign_in_with_code(
            phone=phone, code=code, now=work.now + timedelta(**shift)
        )
    return found.code if isinstance(found, DomainError) else found


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_code_signs_in_exactly_once(member: Member, ask: Any, clock: Any) -> None:
    code = ask()
    assert try_code(code) == member
    assert try_code(code) == "wrong_code"
    assert Audit.objects.get(action="member.signed_in").subject_id == member.pk


def test_only_hashes_are_kept(member: Member, ask: Any, clock: Any) -> None:
    code = ask()
    row = LoginCode.objects.values().get()
    kept = " ".join(str(value) for value in row.values())
    assert code not in kept.split()
    assert KNOWN not in kept
    assert "10.0.0.1" not in kept


def test_the_same_code_has_another_hash_for_another_phone(
    member: Member, ask: Any, clock: Any
) -> None:
    code = ask()
    ask(UNKNOWN)
    assert try_code(code, UNKNOWN) == "wrong_code"


def test_only_the_newest_code_counts(member: Member, ask: Any, clock: Any) -> None:
    first = ask()
    second = ask(seconds=1)
    if first != second:
        assert try_code(first, seconds=2) == "wrong_code"
    assert try_code(second, seconds=2) == member


def test_a_code_lives_ten_minutes(member: Member, ask: Any, clock: Any) -> None:
    code = ask()
    assert try_code(code, minutes=10) == "code_expired"
    assert try_code(code, minutes=9, seconds=59) == member


def test_five_tries_and_the_code_is_dead(member: Member, ask: Any, clock: Any) -> None:
    code = ask()
    wrong = other_than(code)
    assert [try_code(wrong) for _ in range(5)] == ["wrong_code"] * 5
    assert try_code(code) == "code_expired"
    assert LoginCode.objects.get().tries_left == 0


def test_the_fifth_try_may_still_be_right(member: Member, ask: Any, clock: Any) -> None:
    code = ask()
    for _ in range(4):
        try_code(other_than(code))
    assert try_code(code) == member


def test_refused_tries_are_committed_through_the_api(
    member: Member, ask: Any, clock: Any, api: APIClient
) -> None:
    code = ask()
    for _ in range(5):
        answer = api.post(
            "/api/v1/auth/tokens", {"phone": KNOWN, "code": other_than(code)}, format="json"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "wrong_code")
        assert answer["Content-Type"] == "application/problem+json"
    answer = api.post("/api/v1/auth/tokens", {"phone": KNOWN, "code": code}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "code_expired")
    assert not ApiToken.objects.exists()


def test_no_code_was_asked_for(member: Member, clock: Any) -> None:
    assert try_code("000000") == "wrong_code"
    assert try_code("000000", UNKNOWN) == "wrong_code"


def test_an_unknown_phone_gets_no_account_and_no_message(
    member: Member, ask: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _limit: 123456)
    assert ask(UNKNOWN) == ""
    # Even the right digits are wrong: there is nobody to sign in.
    assert try_code("123456", UNKNOWN) == "wrong_code"
    assert Member.objects.count() == 1


@pytest.mark.parametrize("field", ["is_active"])
def test_an_inactive_member_is_like_an_unknown_phone(
    member: Member, ask: Any, clock: Any, field: str
) -> None:
    code = ask()
    Member.objects.update(**{field: False})
    assert try_code(code) == "wrong_code"
    assert ask(seconds=1) == ""


def test_known_and_unknown_cost_the_same_queries_and_rows(
    member: Member, api: APIClient, outbox: list[Message], clock: Any
) -> None:
    def cost(phone: str) -> tuple[Any, ...]:
        rows = LoginCode.objects.count()
        with CaptureQueriesContext(connection) as queries:
            asked = api.post("/api/v1/auth/codes", {"phone": phone}, format="json")
        shapes = [re.sub(r"'[^']*'|\b\d+\b|s\d+_x\d+", "?", q["sql"]) for q in queries]
        with CaptureQueriesContext(connection) as queries:
            tried = api.post(
                "/api/v1/auth/tokens", {"phone": phone, "code": "12345６"}, format="json"
            )
            wrong = api.post(
                "/api/v1/auth/tokens", {"phone": phone, "code": "123456"}, format="json"
            )
        tries = [re.sub(r"'[^']*'|\b\d+\b|s\d+_x\d+", "?", q["sql"]) for q in queries]
        return (
            asked.status_code, asked.json(), LoginCode.objects.count() - rows, shapes,
            tried.status_code, wrong.status_code, wrong.json(), tries,
        )  # fmt: skip

    known, unknown = cost(KNOWN), cost(UNKNOWN)
    assert known == unknown
    assert known[:3] == (202, {"expires_in": 600}, 1)


def test_the_phone_is_limited_and_says_when(member: Member, ask: Any, clock: Any) -> None:
    for second in range(3):
        ask(seconds=second)
    with pytest.raises(TooMany) as refused:
        ask(seconds=10)
    assert refused.value.data == {"retry_after": 590}
    assert LoginCode.objects.count() == 3
    assert ask(seconds=600)


def test_the_phone_is_limited_per_day(member: Member, ask: Any, clock: Any) -> None:
    for hour in range(10):
        ask(hours=hour)
    with pytest.raises(TooMany) as refused:
        ask(hours=12)
    assert refused.value.data["retry_after"] == 12 * 3600
    assert ask(hours=24, seconds=1)


def test_the_address_is_limited_over_all_phones(member: Member, ask: Any, clock: Any) -> None:
    for n in range(30):
        ask(f"+861370000{n:04d}")
    with pytest.raises(TooMany):
        ask()
    assert ask(address="10.0.0.2")


def test_too_many_is_429_with_retry_after(
    member: Member, api: APIClient, outbox: list[Message], clock: Any
) -> None:
    for phone in (KNOWN, UNKNOWN):
        answers = [
            api.post("/api/v1/auth/codes", {"phone": phone}, format="json") for _ in range(4)
        ]
        assert [a.status_code for a in answers] == [202, 202, 202, 429]
        assert answers[-1]["Retry-After"] == "600"
        assert answers[-1].json()["code"] == "too_many_requests"


@pytest.mark.django_db(transaction=True)
def test_a_burst_cannot_slip_past_the_limit(outbox: list[Message]) -> None:
    MemberFactory(phone=KNOWN)
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def run() -> None:
        start.wait()
        try:
            with unit_of_work(now=NOW) as work:
                services.request_code(phone=KNOWN, address="10.0.0.1", now=work.now)
            outcomes.append("sent")
        except TooMany:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["sent"] * 3
    assert len(outbox) == 3


@pytest.mark.django_db(transaction=True)
def test_two_at_once_cannot_share_a_code(outbox: list[Message]) -> None:
    MemberFactory(phone=KNOWN, language="en")
    with unit_of_work(now=NOW) as work:
        services.request_code(phone=KNOWN, address="10.0.0.1", now=work.now)
    code = re.search(r"\d{6}", outbox[-1].text)
    assert code
    start = threading.Barrier(6)
    signed_in: list[bool] = []

    def run() -> None:
        start.wait()
        try:
            with unit_of_work(now=NOW) as work:
                found = services.sign_in_with_code(phone=KNOWN, code=code[0], now=work.now)
            signed_in.append(isinstance(found, Member))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(signed_in) == [False] * 5 + [True]


def test_the_whole_way_over_http(
    member: Member, outbox: list[Message], clock: Any, django_capture_on_commit_callbacks: Capture
) -> None:
    client = APIClient(enforce_csrf_checks=True)
    with django_capture_on_commit_callbacks(execute=True):
        assert (
            client.post("/api/v1/auth/codes", {"phone": "139 0000 0001"}, format="json").status_code
            == 202
        )
    code = re.search(r"\d{6}", outbox[-1].text)
    assert code
    assert outbox[-1].to == KNOWN
    assert "10 minutes" in outbox[-1].text
    answer = client.post(
        "/api/v1/auth/tokens",
        {"phone": KNOWN, "code": code[0]},
        format="json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert set(answer.json()) == {"token"}
    assert not IdempotencyKey.objects.exists()
    assert not ApiToken.objects.filter(digest=token).exists()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get("/api/v1/me").json()["id"] == member.pk


def test_a_session_needs_no_csrf_token_to_ask_for_a_code(
    member: Member, outbox: list[Message], clock: Any
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(member)
    answer = client.post("/api/v1/auth/codes", {"phone": KNOWN}, content_type="application/json")
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "x", None, {"phone": None}, {"phone": ""}, {"phone": "12"}, {"phone": "abc"},
        {"phone": ["1"]}, {"phone": {"a": 1}}, {"phone": "\x00" + KNOWN}, {"phone": True},
        {"phone": "1" * 500}, {"phone": 10**40},
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_bad_phone_is_400_naming_the_field(api: APIClient, body: Any) -> None:
    answer = api.post("/api/v1/auth/codes", body, format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert set(answer.json()["errors"]) <= {"phone", "non_field_errors"}


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", "１２３４５６", None, [], "12345\n"]
)
def test_a_malformed_code_is_400_and_costs_no_try(
    member: Member, ask: Any, clock: Any, api: APIClient, code: Any
) -> None:
    ask()
    answer = api.post("/api/v1/auth/tokens", {"phone": KNOWN, "code": code}, format="json")
    assert answer.status_code == 400
    assert "code" in answer.json()["errors"]
    assert LoginCode.objects.get().tries_left == 5


def test_the_message_speaks_the_members_language(
    db: None, ask: Any, clock: Any, outbox: Any
) -> None:
    MemberFactory(phone=KNOWN, language="en")
    ask()
    assert outbox[-1].text.startswith("Your Linli code is")


@pytest.mark.parametrize(
    ("trusted", "remote", "forwarded", "expected"),
    [
        (False, "203.0.113.9", "1.1.1.1", "203.0.113.9"),
        (True, "127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (True, "127.0.0.1", None, "127.0.0.1"),
        (True, "", "nonsense", "unknown"),
        (False, "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        (False, "::ffff:203.0.113.9", None, "203.0.113.9"),
        (False, "", None, "unknown"),
    ],
)
def test_the_address_is_the_one_our_proxy_saw(
    settings: Any, trusted: bool, remote: str, forwarded: str | None, expected: str
) -> None:
    settings.TRUST_PROXY = trusted
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers)
    request.META["REMOTE_ADDR"] = remote
    assert client_address(request) == expected


def test_a_token_is_revoked_only_by_its_owner(member: Member, api: APIClient, clock: Any) -> None:
    with unit_of_work(member) as work:
        token = services.issue_token(member=member, label="phone", now=work.now)
    kept = ApiToken.objects.get()
    stranger = MemberFactory()
    with pytest.raises(NotFound), unit_of_work(stranger) as work:
        services.revoke_token(token_id=kept.pk, actor=stranger, now=work.now)
    api.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert api.get("/api/v1/me").status_code == 200
    with unit_of_work(member) as work:
        services.revoke_token(token_id=kept.pk, actor=member, now=work.now)
    assert api.get("/api/v1/me").status_code == 401
    assert api.get("/api/v1/me")["WWW-Authenticate"] == "Token"


def test_no_token_for_an_inactive_member(db: None) -> None:
    gone = MemberFactory(is_active=False)
    with pytest.raises(NotFound), unit_of_work() as work:
        services.issue_token(member=gone, label="x", now=work.now)


def test_frozen_time_is_what_services_see(clock: time_machine.Traveller, db: None) -> None:
    with unit_of_work() as work:
        assert work.now == NOW
