"""The API's own description: every call of the contract, with examples, and true."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.contract.site import Person, Site

CALLS = [
    "POST auth/codes", "POST auth/tokens", "GET me", "GET me/export", "DELETE me",
    "GET me/pay-code", "GET communities", "GET cells", "GET cells/locate", "GET shifts",
    "POST shifts", "GET shifts/{}", "POST shifts/{}/claim", "POST shifts/{}/release",
    "POST shifts/{}/assign", "GET shifts/{}/replacements", "POST rosters", "GET rosters/{}",
    "POST rosters/{}/apply", "POST checkins", "GET hours", "POST hours/{}/approve",
    "POST hours/{}/reject", "GET accounts/{}", "GET accounts/{}/transfers",
    "GET accounts/{}/statement", "POST transfers", "GET offers", "POST bookings",
    "POST bookings/{}/cancel", "POST redemptions", "POST charges",
]  # fmt: skip
KEYED = {"checkins", "transfers", "bookings", "redemptions", "charges"}
LISTS = {"communities", "shifts", "hours", "accounts/{}/transfers", "offers"}


@pytest.fixture(scope="session")
def document(site: Site) -> dict[str, Any]:
    answer = site.http.get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def plain(path: str) -> str:
    """Return a path without its prefix and the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1/"))


def examples(content: dict[str, Any]) -> bool:
    media = content.get("application/json", {})
    return not content or bool(media.get("examples") or media.get("example"))


@pytest.mark.parametrize("call", CALLS)
def test_every_call_is_described_with_examples(document: dict[str, Any], call: str) -> None:
    method, _, path = call.partition(" ")
    paths = {plain(name): operations for name, operations in document["paths"].items()}
    operation = paths[path][method.lower()]
    assert operation.get("summary") or operation.get("description"), call
    if "requestBody" in operation:
        assert examples(operation["requestBody"]["content"]), f"{call}: no example of a body"
    good = {code: said for code, said in operation["responses"].items() if code.startswith("2")}
    assert good, call
    for said in good.values():
        assert examples(said.get("content", {})), f"{call}: no example of an answer"
    if path in KEYED and method == "POST":
        headers = [p for p in operation.get("parameters", []) if p["in"] == "header"]
        assert [p["name"] for p in headers if p.get("required")] == ["Idempotency-Key"], call


@pytest.mark.parametrize("path", sorted(LISTS))
def test_lists_are_described_as_pages(document: dict[str, Any], path: str) -> None:
    paths = {plain(name): operations for name, operations in document["paths"].items()}
    schema = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    assert {"next", "previous", "results"} <= set(schema.get("properties", {})), schema


def test_docs_are_browsable(site: Site) -> None:
    page = site.http.get("/api/v1/docs/")
    assert page.status_code == 200
    assert "swagger" in page.text.lower()
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith("/"), f"{address} is on another host"


def test_random_calls_never_crash(site: Site, captain: Person, document: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{site.port}")
    headers = {"Authorization": f"Token {captain.token}"}
    faults: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), plain(operation.path)) in {
            ("DELETE", "me"), ("POST", "auth/codes"),
        }:  # fmt: skip
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def call(case: Any) -> None:
            answer = case.call(headers=headers, timeout=60)
            name = f"{case.method} {plain(case.path)}: {answer.status_code}"
            if answer.status_code >= 500:
                faults.append(f"{name} {case.body!r} {case.query!r} {answer.text[:300]}")
            elif answer.status_code >= 400:
                if "application/problem+json" not in str(answer.headers.get("content-type")):
                    faults.append(f"{name} is no problem+json")
            else:
                try:
                    case.validate_response(answer, checks=[response_schema_conformance])
                except FailureGroup as fault:
                    faults.append(f"{name} {fault.exceptions[0]!s:.1500}")

        call()
    assert faults == [], "\n".join(faults)
