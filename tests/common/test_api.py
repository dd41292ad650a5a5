"""What every call shares: what is no JSON object, 400s, and replays."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from common.api import Endpoint, IdField
from common.errors import BadInput, DomainError, KeyMissing
from common.unit_of_work import UnitOfWork
from tests.factories import MemberFactory

AT = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Writing(Endpoint):
    """A write that reads no field of its body."""

    permission_classes = (AllowAny,)
    refusal: DomainError | None = None

    def post(self, request: Request) -> Response:
        def service(work: UnitOfWork) -> tuple[int, Any]:
            if self.refusal is not None:
                raise self.refusal
            return 200, {"at": AT, "z": 1, "a": 2}

        return self.write(service)


def post(body: bytes, member: Any = None, refusal: DomainError | None = None, **more: Any) -> Any:
    request = APIRequestFactory().post("/x", body, content_type="application/json", **more)
    if member is not None:
        force_authenticate(request, member)
    return Writing.as_view(refusal=refusal)(request).render()


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"null", b"5", b'"x"', b"{", b"\xff", b"\x00", b"[" * 100_000, b'{"a":' * 100_000,
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"a":"\\ud800"}', b'{"\\udfff":1}',
        b'{"a":' + b"9" * 10_000 + b"}", b'{"a":NaN}',
    ],
)  # fmt: skip
def test_only_objects_of_text_and_numbers(body: bytes) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.data["errors"]


def test_what_is_too_large_is_said(settings: Any) -> None:
    answer = post(b'{"a":"' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}')
    assert (answer.status_code, answer.data["code"]) == (413, "too_large")
    assert "5 MB" in answer.data["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"", b"{}", '{"a":"😀"}'.encode(), b'{"a":"\\ud83d\\ude00"}'])
def test_a_call_without_fields_takes_an_object_or_nothing(body: bytes) -> None:
    assert post(body).status_code == 200


@pytest.mark.django_db
def test_a_replay_is_equal_to_the_last_digit() -> None:
    member = MemberFactory()
    first = post(b"{}", member, HTTP_IDEMPOTENCY_KEY="k")
    again = post(b"{}", member, HTTP_IDEMPOTENCY_KEY="k")
    assert again["Idempotent-Replayed"] == "true"
    assert again.data == first.data
    assert first.data["at"] == "2026-06-01T12:00:00.123456Z"


class _Blames(DomainError):
    status = 400
    field = "code"
    detail = "No."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("refusal", "errors"),
    [
        (_Blames(), {"code": ["No."]}),
        (BadInput({"to": ["Not you."]}), {"to": ["Not you."]}),
        (KeyMissing(), None),
    ],
)
def test_every_400_names_fields(refusal: DomainError, errors: Any) -> None:
    found = post(b"{}", refusal=refusal).data["errors"]
    assert found == errors if errors else list(found) == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("key", "word"), [("", "empty"), ("k" * 256, "255"), ("schlüssel", "ASCII"), ("a b", "spaces")]
)
def test_an_unfit_key_says_what_is_wrong(key: str, word: str, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    answer = post(b"{}", HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
    assert word in answer.data["detail"]
    assert list(answer.data["errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("text", ["１", "٣", "x", "0", "-1", "9" * 30, 1.5, True, None, []])
def test_an_id_has_one_spelling(text: object) -> None:
    from rest_framework import serializers

    with pytest.raises(serializers.ValidationError):
        IdField().run_validation(text)
