"""What every API view shares: one write call, problem+json, credits as strings."""

import hashlib
import logging
import math
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from common.errors import BadInput, DomainError, KeyMissing, KeyUnfit
from common.money import credits_text, parse_credits
from common.unit_of_work import Outcome, UnitOfWork, perform

logger = logging.getLogger(__name__)
PROBLEM_JSON = "application/problem+json"
_KEY = re.compile(r"[\x21-\x7e]+")
_LONGEST_KEY = 255


class Endpoint(APIView):
    """Base of all API views: parse, call one service, render."""

    def read(self, serializer: type[serializers.Serializer[Any]]) -> Any:
        """Return the validated body; DRF raises the 400 that names each bad field."""
        parsed = serializer(data=self.request.data, context={"request": self.request})
        parsed.is_valid(raise_exception=True)
        return parsed.validated_data

    def read_query(self, serializer: type[serializers.Serializer[Any]]) -> Any:
        """Return the validated query parameters."""
        parsed = serializer(data=self.request.query_params, context={"request": self.request})
        parsed.is_valid(raise_exception=True)
        return parsed.validated_data

    def write(
        self,
        service: Callable[[UnitOfWork], tuple[int, Any]],
        *,
        key_required: bool = False,
    ) -> Response:
        """Run one service in a unit of work and answer with (status, body).

        An Idempotency-Key is honoured wherever it is sent and demanded where `key_required`.
        """
        request = self.request
        if not isinstance(request.data, dict):
            # A call that takes no fields would otherwise let a body pass that it never read.
            raise BadInput({"non_field_errors": ["Send a JSON object, or no body."]})
        key = idempotency_key(request, required=key_required)
        outcome = perform(
            service, actor=request.user, key=key, fingerprint=fingerprint(request) if key else ""
        )
        return answer(outcome)


def answer(outcome: Outcome) -> Response:
    """Render a write's outcome; a replay says so in `Idempotent-Replayed`."""
    response = Response(outcome.body, status=outcome.status)
    if outcome.replayed:
        response["Idempotent-Replayed"] = "true"
    return response


def idempotency_key(request: Request, *, required: bool) -> str | None:
    """Return the request's key or None; raise KeyMissing, or KeyUnfit if not 1–255 visible."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise KeyMissing
        return None
    if not key:
        raise KeyUnfit(_("The Idempotency-Key is empty. Send 1 to 255 visible characters."))
    if len(key) > _LONGEST_KEY:
        said = _("An Idempotency-Key has at most 255 characters; this one has {length}.")
        raise KeyUnfit(said.format(length=len(key)))
    if not _KEY.fullmatch(key):
        raise KeyUnfit(
            _(
                "An Idempotency-Key has only visible ASCII characters, without spaces: "
                "letters, digits, signs."
            )
        )
    return key


def fingerprint(request: Request) -> str:
    """Hash method, path and body: the same key must come with the same request."""
    digest = hashlib.sha256()
    http = request._request
    digest.update(f"{http.method}\n{http.get_full_path()}\n".encode())
    digest.update(http.body)
    return digest.hexdigest()


# For @extend_schema(parameters=[…]) of the calls that demand a key.
KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="1 to 255 visible characters, a new one per act; a repeat answers as the first.",
)


class CreditsField(serializers.CharField):
    """Credits in a body: a string such as "1.50", hundredths inside."""

    default_error_messages = {
        "credits": gettext_lazy(
            "Write credits as a string with at most two decimals, such as “1.50”."
        ),
        "positive": gettext_lazy("The amount must be more than 0."),
    }

    def to_internal_value(self, data: Any) -> Any:
        try:
            amount = parse_credits(data)
        except ValueError:
            self.fail("credits")
        if amount <= 0:
            self.fail("positive")
        return amount

    def to_representation(self, value: Any) -> str:
        return credits_text(value)


class FiniteField(serializers.FloatField):
    """A JSON number; no NaN, no infinity, no boolean, nothing beyond a float."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        try:
            value = super().to_internal_value(data)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.fail("invalid")
        return float(value)


class IdField(serializers.IntegerField):
    """An id in a body or query: a positive integer that fits its column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        # int() would also read "１" and "٣": an id has one spelling.
        if isinstance(data, str) and not data.strip().isascii():
            self.fail("invalid")
        return super().to_internal_value(data)


def problem(
    *, status: int, code: str, detail: Any, errors: Any = None, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Build an RFC 9457 document; `type` is a URN, so that nothing points to a host.

    A 400 always has `errors`, so that a client need not ask first.
    """
    if status == HTTPStatus.BAD_REQUEST and not errors:
        errors = {"non_field_errors": [str(detail)]}
    document: dict[str, Any] = {
        "type": f"urn:linli:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": str(detail),
        "code": code,
    }
    if errors:
        document["errors"] = errors
    return {**(extra or {}), **document}


def problem_response(
    *, status: int, code: str, detail: Any, errors: Any = None, headers: Any = None
) -> JsonResponse:
    """Answer with problem+json outside DRF (unknown path, crash, middleware)."""
    return JsonResponse(
        problem(status=status, code=code, detail=detail, errors=errors),
        status=status,
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Map every error that a view may raise to problem+json (DRF's EXCEPTION_HANDLER)."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        data = dict(error.data)
        if "retry_after" in data:
            headers["Retry-After"] = str(data["retry_after"])
        body = problem(
            status=error.status,
            code=error.code,
            detail=error.detail,
            errors=data.pop("errors", None) or error.errors,
            extra=data,
        )
        return _problem(body, headers)
    if isinstance(error, Http404):
        error = exceptions.NotFound(_("There is nothing here that you may see."))
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
        body = problem(status=413, code="too_large", detail=f"Send at most {most} MB.")
        return _problem(body, {})
    elif isinstance(error, (OperationalError, InterfaceError)):
        logger.exception("database unavailable")
        body = problem(
            status=503,
            code="try_again",
            detail=_("The database is busy or restarting. Nothing was changed; try again."),
        )
        return _problem(body, {"Retry-After": "2"})
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait:
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        errors = detail if isinstance(detail, dict) else {"non_field_errors": detail}
        body = problem(
            status=400, code="invalid", detail=_("Some fields need another look."), errors=errors
        )
    else:
        code = error.get_codes()
        body = problem(
            status=error.status_code,
            code=code if isinstance(code, str) else "error",
            detail=error.detail,
        )
    return _problem(body, headers)


def _problem(body: dict[str, Any], headers: dict[str, str]) -> Response:
    return Response(body, status=body["status"], headers=headers, content_type=PROBLEM_JSON)


def wants_problem(request: HttpRequest) -> bool:
    """Say whether this path belongs to the API, whose errors are problem+json."""
    return request.path.startswith("/api/")
