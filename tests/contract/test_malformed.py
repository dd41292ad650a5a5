"""Whatever is sent, the answer is 4xx problem+json: never a crash, never a page."""

import json
from typing import Any

import pytest

from tests.contract.site import Person, assert_problem

NOBODY = 987654321
ROUTES = [
    "auth/codes", "auth/tokens", "shifts", f"shifts/{NOBODY}/claim", f"shifts/{NOBODY}/release",
    f"shifts/{NOBODY}/assign", f"shifts/{NOBODY}/cancel", "rosters", f"rosters/{NOBODY}/apply",
    "checkins", f"hours/{NOBODY}/approve", f"hours/{NOBODY}/reject", "transfers", "bookings",
    f"bookings/{NOBODY}/cancel", "redemptions", "charges",
]  # fmt: skip
JSON = "application/json"
BODIES: dict[str, bytes] = {
    "open brace": b"{",
    "array": b"[]",
    "array of objects": b"[{}]",
    "null": b"null",
    "string": b'"x"',
    "number": b"5",
    "true": b"true",
    "words": b"not json at all",
    "trailing": b'{"a":1}{"b":2}',
    "single quotes": b"{'a':1}",
    "nul byte": b"\x00",
    "nul in object": b'{"phone":"\x00"}',
    "invalid utf-8": b'{"a":"\xff\xfe"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "endless number": b'{"seat":' + b"9" * 10_000 + b"}",
    "half a letter": b'{"kind":"\\ud800","phone":"\\uDFFF"}',
    "not a number": b'{"lat":NaN,"amount":Infinity,"seat":-Infinity}',
    "cut escape": b'{"a":"\\u12"}',
    "only commas": b"{,}",
}
TYPES = [
    ("application/x-www-form-urlencoded", b"phone=1&seat=1&to=1&amount=1.00&code=x"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
    ),
    ("text/plain", b"{}"),
    ("application/xml", b"<a/>"),
    ("garbage", b"{}"),
    ("application/json; charset=rot13", b'{"phone":"1"}'),
    ("application/json; charset=base64", b'{"phone":"1"}'),
    ("application/json; charset=utf-16", b'{"phone":"1"}'),
    ("application/json; charset=nonsense", b'{"phone":'),
    ("application/json; charset=idna", b'{"phone":"\xff"}'),
    ("application/json; charset=undefined", b'{"phone":"1"}'),
]


def send(person: Person, path: str, body: bytes, content_type: str, method: str = "POST") -> Any:
    return person.call(
        method, path, key="new", content=body, headers={"Content-Type": content_type}
    )


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ROUTES)
def test_bodies(captain: Person, path: str, name: str) -> None:
    assert_problem(send(captain, path, BODIES[name], JSON), 400)


@pytest.mark.parametrize(("content_type", "body"), TYPES)
@pytest.mark.parametrize("path", ROUTES)
def test_content_types(captain: Person, path: str, content_type: str, body: bytes) -> None:
    answer = send(captain, path, body, content_type)
    assert answer.status_code in ({400} if content_type.startswith(JSON) else {400, 415}), (
        answer.text
    )
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", ROUTES)
def test_objects_of_the_wrong_shape(merchant: Person, path: str) -> None:
    names = [
        "phone", "code", "title", "kind", "community", "cell", "starts_at", "ends_at", "seats",
        "member", "from", "days", "seat", "occurred_at", "lat", "lon", "accuracy_m", "reason",
        "to", "amount", "memo", "offer", "slot", "quantity", "for_member", "pay_code", "partner",
    ]  # fmt: skip
    for value in (
        None, True, False, 0, -1, 1.5, 10**25, 10**400, 1e308, "", " ", "x" * 200_000, "\x00",
        "\u202e", "１２", [], {}, [[]], {"a": {"b": []}}, "9999-12-31T23:59:59Z", "null",
    ):  # fmt: skip
        body = json.dumps(dict.fromkeys(names, value)).encode()
        answer = send(merchant, path, body, JSON)
        assert 400 <= answer.status_code < 500, (value, answer.text)
        assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", ROUTES)
def test_no_body_and_empty_object(merchant: Person, path: str) -> None:
    for body in (b"", b"{}", b"  {}  "):
        answer = send(merchant, path, body, JSON)
        assert answer.status_code in {400, 403, 404}, answer.text
        assert_problem(answer, answer.status_code)


def test_a_body_too_large(captain: Person) -> None:
    body = json.dumps({"title": "x" * 6_000_000}).encode()
    for path in ("shifts", "checkins", "auth/codes"):
        answer = send(captain, path, body, JSON)
        assert answer.status_code in {400, 413}, answer.text
        assert_problem(answer, answer.status_code)


def test_erasure_with_a_bad_body(volunteers: list[Person]) -> None:
    for body in (b"[]", b"{", b"\xff", b"null"):
        assert_problem(send(volunteers[0], "me", body, JSON, "DELETE"), 400)
    assert volunteers[0].get("me")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "FROB"])
def test_other_methods(captain: Person, path: str, method: str) -> None:
    answer = captain.call(method, path)
    assert_problem(answer, 405)
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["", "nothing", "shifts/", "shifts/x", "shifts/-1", "shifts/１", "shifts/1/claim/",
             "hours/1", "../etc", "%00", "shifts/%2e%2e", "rosters", "shifts/1%00/claim"]
)  # fmt: skip
def test_paths_that_are_not(captain: Person, path: str) -> None:
    answer = captain.call("GET", path)
    assert answer.status_code in {404, 405}, answer.text
    assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", ["shifts", "hours", "offers", "bookings", "communities"])
@pytest.mark.parametrize(
    "cursor",
    [
        "x", "%00", "cD1hYmM=", "cD0xCg==", "bz0xMDAwMDAwMDAwMDAwMA==", "cj0xJnA9JTAw", "W10=",
        "W2ZhbHNlLCJ4IiwieCJd", "W2ZhbHNlXQ==", "W251bGwsMV0=", "é", "=" * 50, "A" * 5000,
        "WzEsMl0=", "W2ZhbHNlLDk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0=",
    ],
)  # fmt: skip
def test_cursors_that_we_never_wrote(captain: Person, path: str, cursor: str) -> None:
    assert_problem(captain.call("GET", f"{path}?cursor={cursor}"), 400, field="cursor")


@pytest.mark.parametrize("path", ["shifts", "hours", "offers", "bookings", "communities"])
@pytest.mark.parametrize("size", ["0", "-5", "x", "%00", "9" * 5000, "1e3", "１"])
def test_page_sizes_that_are_none(captain: Person, path: str, size: str) -> None:
    answer = captain.call("GET", f"{path}?page_size={size}")
    assert answer.status_code in {200, 400}, answer.text


def test_what_we_cannot_write(captain: Person) -> None:
    answer = captain.call("GET", "me", headers={"Accept": "application/xml"})
    assert_problem(answer, 406)
    assert captain.call("GET", "me?format=xml").status_code in {200, 404}


def test_a_foreign_host(captain: Person) -> None:
    answer = captain.call("GET", "me", headers={"Host": "evil.example"})
    assert_problem(answer, 400)
