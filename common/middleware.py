"""Middleware that every request passes."""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from common.errors import DomainError
from common.titles import title_of
from common.unit_of_work import request_id

Handler = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Give each request an id that logs and the audit trail share."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = secrets.token_hex(8)
        token = request_id.set(name)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = name
        response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        return response


class DomainErrorMiddleware:
    """Show a refusal raised by a page as an error page that says what to do."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError):
            return None
        response = render(
            request,
            "error.html",
            {
                "status": int(error.status),
                "code": error.code,
                "title": title_of(int(error.status)),
                "detail": error.detail,
            },
            status=error.status,
        )
        if "retry_after" in error.data:
            response["Retry-After"] = str(error.data["retry_after"])
        return response
