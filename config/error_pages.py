"""Pages and problem documents for errors that no view caught."""

import sys
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from common.api import problem_response, wants_problem
from common.middleware import came_from
from common.titles import title_of


def _answer(request: HttpRequest, *, status: int, code: str, detail: str) -> HttpResponse:
    if wants_problem(request):
        return problem_response(status=status, code=code, detail=detail)
    context = {"status": status, "code": code, "title": title_of(status), "detail": detail}
    return render(request, "error.html", context, status=status)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """404: no such address."""
    detail = _("There is nothing here that you may see.")
    return _answer(request, status=404, code="not_found", detail=detail)


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """403: no role."""
    detail = _("You don't have the role that this needs.")
    return _answer(request, status=403, code="not_allowed", detail=detail)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """400: the request itself is broken."""
    detail = _("This request can't be understood. Go back and try again.")
    return _answer(request, status=400, code="bad_request", detail=detail)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form from before the session ended, or one that another site sent."""
    page = came_from(request)
    context: dict[str, Any] = {"page": page}
    sign_in = resolve_url(settings.LOGIN_URL)
    if not request.user.is_authenticated and not page.startswith(sign_in):
        context["sign_in"] = f"{sign_in}?{urlencode({'next': page})}"
    return render(request, "403_csrf.html", context, status=403)


def crashed(request: HttpRequest) -> HttpResponse:
    """500: our fault; nothing was saved. 503 where the database was busy or away."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        status, code = 503, "try_again"
        detail = _("The database is busy or restarting. Nothing was changed; try again.")
    else:
        status, code = 500, "server_error"
        detail = _("Something broke on our side. Nothing was changed; please try again.")
    try:
        response = _answer(request, status=status, code=code, detail=detail)
    except Exception:  # noqa: BLE001 - the page's own menu reads the database
        response = HttpResponse(f"{detail}\n", status=status, content_type="text/plain")
    if status == 503:
        response["Retry-After"] = "2"
    return response
