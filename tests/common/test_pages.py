"""What pages read from forms and say of refusals."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest
from django.test import RequestFactory

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.pages import ids, page_write
from tests.factories import MemberFactory


def test_ids_are_what_a_column_can_hold() -> None:
    assert ids(["7", "x", "", None, "-1", "٣", "1e3", "9" * 18]) == [7, 10**18 - 1]
    assert ids(["9" * 19, "9" * 5000]) == []


def posted() -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = MemberFactory()
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (BadInput({"reason": ["Say why."], "days": ["At most 7."]}), "Say why. At most 7."),
        (NotAllowed("Not you."), "Not you."),
    ],
)
def test_a_refusal_is_said_in_its_own_words(refusal: DomainError, said: str) -> None:
    def refuse(work: Any) -> None:
        raise refusal

    request = posted()
    assert page_write(request, refuse) is None
    assert [str(message) for message in get_messages(request)] == [said]


@pytest.mark.django_db
def test_what_is_not_there_is_an_error_page() -> None:
    def miss(work: Any) -> None:
        raise NotFound

    with pytest.raises(NotFound):
        page_write(posted(), miss)
