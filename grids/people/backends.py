"""How a request becomes a member: session for pages, hashed token for the API."""

import hashlib
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from common.errors import NotAllowed
from grids.people.models import Member


def member_of(request: HttpRequest | Request) -> Member:
    """Return the signed-in member; raise NotAllowed where a view forgot to demand one."""
    if not isinstance(request.user, Member):
        raise NotAllowed
    return request.user


def token_digest(token: str) -> str:
    """Hash an API token; it has 256 random bits, so a plain SHA-256 can't be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def member_of_token(token: str) -> Member | None:
    """Return the active member that this API token belongs to."""
    # A digest is unique: no order to ask for, no token to read; this precedes every API call.
    found = Member.objects.filter(
        tokens__digest=token_digest(token), tokens__revoked_at=None, is_active=True
    ).order_by()
    return next(iter(found[:1]), None)


class MemberBackend(BaseBackend):
    """Loads the member of a session; signing in itself is `services.sign_in`."""

    def get_user(self, user_id: Any) -> Member | None:
        known = Member.objects.select_related("community")
        return known.filter(pk=user_id, is_active=True).first()

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        return None


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token <key>`."""

    def authenticate(self, request: Request) -> tuple[Member, None] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"token":
            return None
        try:
            token = words[1].decode("ascii") if len(words) == 2 else ""
        except UnicodeDecodeError:
            token = ""
        member = member_of_token(token) if token else None
        if member is None:
            raise AuthenticationFailed
        return member, None

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class ApiSessionAuthentication(SessionAuthentication):
    """The session cookie, with the CSRF check on writes."""
