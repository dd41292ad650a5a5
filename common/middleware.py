"""Middleware that every request passes."""

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _

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


class MethodMiddleware:
    """Keep people off addresses that only take a POST, and tell them where they are if not."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/"):
            return response
        if isinstance(response, HttpResponseNotAllowed):
            return _not_allowed(request, response)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            return _sign_in_and_return(request, response)
        return response


def _not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Say in words what a 405 means, with a way back."""
    context = {
        "status": 405,
        "code": "method_not_allowed",
        "title": title_of(405),
        "detail": _("This address only takes what a button on a page sends. Nothing was changed."),
    }
    page = render(request, "error.html", context, status=405)
    page["Allow"] = response["Allow"]
    return page


def _sign_in_and_return(request: HttpRequest, response: HttpResponseRedirect) -> HttpResponse:
    """Where a POST is sent to the sign-in page, come back to the page whose button was pressed."""
    sign_in = resolve_url(settings.LOGIN_URL)
    target = urlsplit(response.url)
    if target.path != sign_in or QueryDict(target.query).get("next") != request.get_full_path():
        return response
    return HttpResponseRedirect(f"{sign_in}?{urlencode({'next': came_from(request)})}")


def came_from(request: HttpRequest) -> str:
    """Return the path and query of the page that sent this, "/" unless it is on this host."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return "/"
    came = urlsplit(referer)
    return (came.path or "/") + (f"?{came.query}" if came.query else "")
