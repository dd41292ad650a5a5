"""Cursor pages over rows that share their first sort column."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from common.errors import BadInput
from common.models import IdempotencyKey
from common.pagination import ByIdPagination

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


class ByTime(ByIdPagination):
    ordering = ("created_at", "-id")
    page_size = 3


def page(address: str = "/rows") -> tuple[list[str], Any, Any]:
    pages = ByTime()
    request = Request(APIRequestFactory().get(address))
    rows = pages.paginate_queryset(IdempotencyKey.objects.all(), request)
    return [row.key for row in rows], pages.get_next_link(), pages.get_previous_link()


@pytest.fixture
def rows() -> None:
    """Ten rows, seven of them of one instant."""
    for n in range(10):
        IdempotencyKey.objects.create(
            scope="s", key=str(n), created_at=AT if n < 7 else AT + timedelta(minutes=n)
        )


@pytest.mark.usefixtures("rows")
def test_there_and_back_again() -> None:
    there, addresses = [], ["/rows"]
    while addresses[-1]:
        found, following, _before = page(addresses[-1])
        there.append(found)
        addresses.append(following)
    assert there == [[*"654"], [*"321"], [*"078"], [*"9"]]
    back, before = [], page(addresses[-2])[2]
    while before:
        found, _following, before = page(before)
        back.append(found)
    assert back == there[-2::-1]


@pytest.mark.usefixtures("rows")
def test_a_new_row_within_a_tie_moves_nothing() -> None:
    first, following, _before = page()
    IdempotencyKey.objects.create(scope="s", key="new", created_at=AT)
    assert first == [*"654"]
    assert page(following)[0] == [*"321"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "é", "[]", [], [False], [None, 1, 2], [False, "x", 1], [False, None, 1],
        [False, "2026-06-01T12:00:00", 1], [False, "2026-06-01T12:00:00Z", 2**63],
        [False, "0001-01-01T00:00:00+14:00", 1], [False, "2026-06-01T12:00:00Z", True],
        [False, "2026-06-01T12:00:00Z", "\x00"], [False, {}, []], {"a": 1},
    ],
)  # fmt: skip
def test_a_cursor_that_we_never_wrote(cursor: Any) -> None:
    text = (
        cursor
        if isinstance(cursor, str)
        else base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    )
    with pytest.raises(BadInput) as refused:
        page(f"/rows?cursor={text}")
    assert list(refused.value.data["errors"]) == ["cursor"]
