"""The one error type that a service raises when it refuses.

One mapper turns it into RFC 9457 problem+json (`common.api`), one into a page
(`common.middleware`).
"""

from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A refusal with a stable `code`, an HTTP `status` and a sentence saying what to do.

    Subclasses stand beside the service that raises them and set `code`, `status`, `detail`.
    `data` holds JSON-plain facts for the client; they are merged into the problem document.
    `field` is what a 400 blames, where it is one field.
    """

    code: str = "refused"
    status: int = HTTPStatus.CONFLICT
    detail: Any = _("This can't be done.")
    field: str | None = None

    def __init__(self, detail: Any = None, *, code: str | None = None, **data: Any) -> None:
        self.detail = detail if detail is not None else type(self).detail
        self.code = code or type(self).code
        self.data = data
        super().__init__(self.code)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    @property
    def errors(self) -> dict[str, list[str]] | None:
        """Name the field at fault, for the problem document."""
        return {self.field: [str(self.detail)]} if self.field else None


class NotAllowed(DomainError):
    """The actor is known and may see the thing, but not do this with it."""

    code = "not_allowed"
    status = HTTPStatus.FORBIDDEN
    detail = _("You don't have the role that this needs.")


class NotFound(DomainError):
    """The thing doesn't exist, or the actor may not know that it does."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    detail = _("There is nothing here that you may see.")


class BadInput(DomainError):
    """What was sent can't be understood; `errors` maps each field to its messages."""

    code = "invalid"
    status = HTTPStatus.BAD_REQUEST
    detail = _("Some fields need another look.")

    def __init__(self, errors: dict[str, list[str]], detail: Any = None) -> None:
        super().__init__(detail, errors=errors)


class KeyReused(DomainError):
    """An Idempotency-Key came back with another request."""

    code = "idempotency_key_reused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    detail = _("This Idempotency-Key was used for another request. Send a new key.")


class KeyMissing(DomainError):
    """A call that must be safe to repeat came without its Idempotency-Key."""

    code = "idempotency_key_required"
    status = HTTPStatus.BAD_REQUEST
    field = "Idempotency-Key"
    detail = _("Send an Idempotency-Key header (1 to 255 visible characters), a new one per act.")


class KeyUnfit(DomainError):
    """An Idempotency-Key came that is empty, too long or not visible ASCII; `detail` says which."""

    code = "invalid"
    status = HTTPStatus.BAD_REQUEST
    field = "Idempotency-Key"


class TooMany(DomainError):
    """The rate limit is reached; `retry_after` is in seconds."""

    code = "too_many_requests"
    status = HTTPStatus.TOO_MANY_REQUESTS
    detail = _("Too many attempts. Please wait a little and try again.")

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(retry_after=retry_after)
