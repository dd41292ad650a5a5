"""What pages share: one write per POST, refusals shown where the person stands."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest

from common.errors import DomainError, KeyReused
from common.unit_of_work import Outcome, UnitOfWork, perform, unit_of_work

T = TypeVar("T")
_ID = re.compile(r"[0-9]{1,18}")


def page_write(request: HttpRequest, service: Callable[[UnitOfWork], T]) -> T | None:
    """Run one service for the signed-in member; on a refusal show its sentence, return None.

    404s are not caught: they become the error page.
    """

    def write() -> T:
        with unit_of_work(request.user) as work:
            return service(work)

    return _or_say(request, write)


def page_write_once(
    request: HttpRequest,
    service: Callable[[UnitOfWork], tuple[int, Any]],
    *,
    key: str,
    said: object,
) -> Outcome | None:
    """Like page_write, but once for each of the form's keys: a repeat gets the first answer.

    `said` is what the form says, the same each time. Raises KeyReused if it said something else.
    """
    # Hashed and named, so that no key of a form can pass for one that a program sent.
    form_key = f"form:{hashlib.sha256(f'{request.path} {key}'.encode()).hexdigest()}"
    fingerprint = hashlib.sha256(repr(said).encode()).hexdigest()
    return _or_say(
        request,
        lambda: perform(service, actor=request.user, key=form_key, fingerprint=fingerprint),
        KeyReused,
    )


def _or_say(request: HttpRequest, write: Callable[[], T], *raised: type[DomainError]) -> T | None:
    try:
        return write()
    except DomainError as error:
        if error.status == 404 or isinstance(error, raised):
            raise
        messages.error(request, _sentence(error))
        return None


def form_fingerprint(request: HttpRequest) -> str:
    """Hash path and posted fields, for a form with an idempotency key of its own."""
    posted = request.POST.copy()
    posted.pop("csrfmiddlewaretoken", None)
    return hashlib.sha256(f"POST\n{request.path}\n{posted.urlencode()}".encode()).hexdigest()


def _sentence(error: DomainError) -> str:
    """Say what was wrong; of fields that their page has no form for, each field's own words."""
    fields: dict[str, list[str]] = error.data.get("errors", {})
    return " ".join([str(text) for texts in fields.values() for text in texts]) or str(error.detail)


def ids(values: list[Any]) -> list[int]:
    """Return the ids among posted values; anything else is left out, also what fits no column."""
    return [int(value) for value in values if _ID.fullmatch(str(value))]
