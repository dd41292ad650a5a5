"""Signing in and the member's own page."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common import clock
from common.errors import DomainError, TooMany
from common.pages import page_write
from common.unit_of_work import unit_of_work
from grids.people import queries, registries, rules, services
from grids.people.backends import member_of
from grids.people.demo_links import member_of_link
from grids.people.forms import CodeForm, ErasureForm, PhoneForm, ProfileForm
from grids.people.limits import client_address
from grids.people.models import Member
from realtime import registry

_BACKEND = "grids.people.backends.MemberBackend"
_PHONE, _ASKED_AT = "sign_in_phone", "sign_in_asked_at"
_ASK_AGAIN_AFTER = timedelta(seconds=60)
_TEXT_COOKIE = "linli_text"  # read by base.html, also written by its text button
_YEAR = 365 * 24 * 60 * 60


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Step one: the phone number. The next page is the same whether anybody has it."""
    if isinstance(request.user, Member):
        return redirect(_next(request))
    # Whoever comes back from the code page most likely mistyped one digit.
    form = PhoneForm(request.POST or None, initial={"phone": request.session.get(_PHONE, "")})
    status, refused = 200, None
    if request.method == "POST":
        status = 400
        if form.is_valid():
            refused = _send_code(request, form.cleaned_data["phone"])
            if refused is None:
                return _with_next(request, "people:sign-in-code")
            status = int(refused.status)
            form.add_error(None, _wait_text(refused))
    context = {"form": form, "next": _asked_next(request)}
    return _telling_when(refused, render(request, "people/sign_in.html", context, status=status))


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Step two: the code, or a new one (`again`), which leaves the person on this page."""
    phone = request.session.get(_PHONE)
    if isinstance(request.user, Member):
        return redirect(_next(request))
    if not phone:
        if request.method == "POST":
            messages.warning(request, _("That took too long. Please write your number once more."))
        return _with_next(request, "people:sign-in")
    again = request.method == "POST" and "again" in request.POST
    form = CodeForm(None if again else request.POST or None)
    status, refused = 200, None
    if again:
        refused = _send_code(request, phone)
        if refused is None:
            messages.success(request, _("A new code is on its way. Only the newest one works."))
            return _with_next(request, "people:sign-in-code")
        status = int(refused.status)
        # Said as a notice: the code that is here already may still be right.
        messages.error(request, _wait_text(refused))
    elif request.method == "POST":
        status = 400
        if form.is_valid():
            with unit_of_work() as work:
                found = services.sign_in_with_code(
                    phone=phone, code=form.cleaned_data["code"], now=work.now
                )
            if not isinstance(found, DomainError):
                return _enter(request, found)
            form.add_error("code", str(found.detail))
    again_at = datetime.fromisoformat(request.session[_ASKED_AT]) + _ASK_AGAIN_AFTER
    left = max(0, round((again_at - clock.now()).total_seconds()))
    context = {
        "form": form,
        "phone": phone,
        "again_at": again_at,
        "wait": f"{left // 60}:{left % 60:02d}",  # as ui.js counts it down
        "next": _asked_next(request),
    }
    page = render(request, "people/sign_in_code.html", context, status=status)
    return _telling_when(refused, page)


@never_cache
@require_safe
def sign_in_link(request: HttpRequest, signed: str) -> HttpResponse:
    """Enter the demo as somebody; there are no such links in production."""
    member = member_of_link(signed)
    if member is None:
        raise Http404
    return _enter(request, member)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session, its sockets too, and forget how its member likes to read."""
    member = request.user
    logout(request)
    if isinstance(member, Member):
        # After the session is gone: each hub asks whether its sockets still count.
        with unit_of_work(member):
            registry.recheck(member.pk)
    response = redirect("people:sign-in")
    response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    response.delete_cookie(_TEXT_COOKIE)
    return response


@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the admin's guests to the one sign-in page."""
    if isinstance(request.user, Member):
        # Signed in already, so signing in again wouldn't help. Not raised: that would be logged
        # with a traceback, and nothing is wrong.
        context = {
            "status": 403,
            "code": "not_allowed",
            "title": _("You can't open this"),
            "detail": _("You are signed in as %(name)s, who doesn't run this site.")
            % {"name": request.user.display_name},
            "todo": _("If you should, ask an administrator of the site to give you the right."),
        }
        return render(request, "error.html", context, status=403)
    return _with_next(request, "people:sign-in")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """The member's own page: profile, roles, consent, data."""
    member = member_of(request)
    form = ProfileForm(request.POST or None, instance=Member.objects.get(pk=member.pk))
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            chosen = form.cleaned_data
            changed = page_write(
                request,
                lambda work: services.update_profile(
                    actor=member,
                    now=work.now,
                    display_name=chosen["display_name"],
                    language=chosen["language"],
                    large_text=chosen["large_text"],
                ),
            )
            if changed is not None:
                messages.success(request, _("Your profile is saved."))
                return _speaking(redirect("people:me"), changed)
    context = {
        "form": form,
        "roles": rules.roles_of(member),
        "purposes": _purposes(member),
        "cells": queries.cells_data(member),
        **queries.proxies_of(member),
    }
    return render(request, "people/me.html", context, status=status)


@login_required
@require_POST
def consent(request: HttpRequest, purpose: str) -> HttpResponse:
    """Give or withdraw one consent."""
    member = member_of(request)
    if request.POST.get("agree") == "yes":
        done: Any = page_write(
            request,
            lambda work: services.give_consent(actor=member, purpose=purpose, now=work.now),
        )
        said = _("Noted: you agree. You can take it back here at any time.")
    else:
        done = page_write(
            request,
            lambda work: services.withdraw_consent(actor=member, purpose=purpose, now=work.now),
        )
        said = _("Noted: you no longer agree.")
    if done is not None:
        messages.success(request, said)
    return redirect("people:me")


@login_required
@require_POST
def end_proxy(request: HttpRequest, proxy_id: int) -> HttpResponse:
    """End a proxy from either side."""
    member = member_of(request)
    held = queries.proxy_visible_to(member, proxy_id)
    done = page_write(
        request,
        lambda work: services.end_proxy(proxy=held, actor=member, now=work.now),
    )
    if done is not None:
        messages.success(request, _("This has ended."))
    return redirect("people:me")


@login_required
@never_cache
@require_safe
def my_data(request: HttpRequest) -> HttpResponse:
    """Download everything kept about the member."""
    member = member_of(request)
    response = JsonResponse(
        queries.export_of(member), json_dumps_params={"ensure_ascii": False, "indent": 2}
    )
    response["Content-Disposition"] = f'attachment; filename="linli-{member.pk}.json"'
    return response


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def delete_me(request: HttpRequest) -> HttpResponse:
    """Ask once more, then erase the member."""
    member = member_of(request)
    form = ErasureForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            done = page_write(
                request,
                lambda work: services.erase_member(member=member, actor=member, now=work.now),
            )
            if done is not None:
                logout(request)
                messages.success(request, _("Your account is deleted. Thank you for your time."))
                return redirect("people:sign-in")
            status = 409
    return render(request, "people/delete_me.html", {"form": form}, status=status)


def _enter(request: HttpRequest, member: Member) -> HttpResponse:
    """Start a session with a new key, so that a planted one is worth nothing."""
    target = _next(request)
    request.session.pop(_PHONE, None)
    request.session.pop(_ASKED_AT, None)
    login(request, member, backend=_BACKEND)
    response = redirect(target)
    if member.large_text:
        response.set_cookie(_TEXT_COOKIE, "large", max_age=_YEAR, samesite="Lax")
    return response


def _speaking(response: HttpResponseRedirect, member: Member) -> HttpResponse:
    """Let the cookies that the shell reads follow the profile."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, member.language, max_age=_YEAR, samesite="Lax"
    )
    if member.large_text:
        response.set_cookie(_TEXT_COOKIE, "large", max_age=_YEAR, samesite="Lax")
    else:
        response.delete_cookie(_TEXT_COOKIE)
    return response


def _asked_next(request: HttpRequest) -> str:
    """Return the page to go to after signing in, "" unless it is on this host."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    allowed = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return asked if allowed else ""


def _next(request: HttpRequest) -> str:
    return _asked_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _with_next(request: HttpRequest, name: str) -> HttpResponseRedirect:
    asked = _asked_next(request)
    query = f"?{urlencode({'next': asked})}" if asked else ""
    return HttpResponseRedirect(reverse(name) + query)


def _send_code(request: HttpRequest, phone: str) -> TooMany | None:
    """Send a code and note in the session where it went; return the refusal, if any."""
    try:
        with unit_of_work() as work:
            services.request_code(phone=phone, address=client_address(request), now=work.now)
    except TooMany as error:
        return error
    request.session[_PHONE] = phone
    request.session[_ASKED_AT] = work.now.isoformat()
    return None


def _telling_when(refused: TooMany | None, response: HttpResponse) -> HttpResponse:
    if refused is not None:
        response["Retry-After"] = str(refused.data["retry_after"])
    return response


def _wait_text(refused: TooMany) -> str:
    minutes = -(-int(refused.data["retry_after"]) // 60)
    if minutes < 120:
        return ngettext(
            "Too many codes were asked for. Please try again in %(count)d minute.",
            "Too many codes were asked for. Please try again in %(count)d minutes.",
            minutes,
        ) % {"count": minutes}
    return _("Too many codes were asked for today. Please try again in %(count)d hours.") % {
        "count": -(-minutes // 60)
    }


def _purposes(member: Member) -> list[dict[str, Any]]:
    given = queries.open_consents(member)
    return [
        {"purpose": asked, "given_at": given.get((asked.code, asked.version))}
        for asked in registries.purposes.values()
    ]
