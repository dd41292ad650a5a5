"""What pages share: one write per POST, refusals shown where the person stands."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest

from common.errors import DomainError
from common.unit_of_work import UnitOfWork, unit_of_work

T = TypeVar("T")
_ID = re.compile(r"[0-9]{1,18}")


def page_write(request: HttpRequest, service: Callable[[UnitOfWork], T]) -> T | None:
    """Run one service for the signed-in member; on a refusal show its sentence, return None.

    404s are not caught: they become the error page.
    """
    try:
        with unit_of_work(request.user) as work:
            return service(work)
    except DomainError as error:
        if error.status == 404:
            raise
        messages.error(request, _sentence(error))
        return None


def _sentence(error: DomainError) -> str:
    """Say what was wrong; of fields that their page has no form for, each field's own words."""
    fields: dict[str, list[str]] = error.data.get("errors", {})
    return " ".join([str(text) for texts in fields.values() for text in texts]) or str(error.detail)


def ids(values: list[Any]) -> list[int]:
    """Return the ids among posted values; anything else is left out, also what fits no column."""
    return [int(value) for value in values if _ID.fullmatch(str(value))]
