"""Signing in: one-time codes by SMS, and tokens for the API."""

import hmac
import secrets
from datetime import datetime, timedelta
from http import HTTPStatus

from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from common.unit_of_work import current
from grids.people.backends import token_digest
from grids.people.limits import keyed_hash, refuse_too_many
from grids.people.models import ApiToken, LoginCode, Member
from grids.people.sms import Message, send_after_commit
from realtime import registry

CODE_LIVES = timedelta(minutes=10)
TRIES = 5


class WrongCode(DomainError):
    """The code is not the newest one of this phone (or the phone has no account)."""

    code = "wrong_code"
    status = HTTPStatus.BAD_REQUEST
    field = "code"
    detail = _("This code is not right. Check the newest message and try again.")


class CodeExpired(DomainError):
    """The newest code is older than ten minutes or was tried five times."""

    code = "code_expired"
    status = HTTPStatus.BAD_REQUEST
    field = "code"
    detail = _("This code no longer works. Ask for a new one.")


def request_code(*, phone: str, address: str, now: datetime) -> None:
    """Make a one-time code for `phone` (E.164) and send it after the commit.

    An unknown number leaves the same row, takes the same queries and gets the same answer; only
    no message goes out. `address` is `limits.client_address(request)`. Raises TooMany.
    """
    current()
    phone_digest = keyed_hash("phone", phone)
    address_digest = keyed_hash("address", address)
    refuse_too_many(phone_digest=phone_digest, address_digest=address_digest, now=now)
    member = Member.objects.filter(phone=phone, is_active=True).first()
    digits = f"{secrets.randbelow(10**6):06d}"
    # No audit row: anybody can ask, and an append-only table must not grow by that.
    LoginCode.objects.create(
        phone_digest=phone_digest,
        digest=keyed_hash("code", f"{phone}\n{digits}"),
        address_digest=address_digest,
        created_at=now,
        expires_at=now + CODE_LIVES,
        tries_left=TRIES,
    )
    with translation.override(member.language if member else None):
        text = gettext(
            "Your Linli code is %(code)s. It is valid for 10 minutes. Never pass it on."
        ) % {"code": digits}
    send_after_commit(Message(to=phone, text=text) if member else None)


def sign_in_with_code(*, phone: str, code: str, now: datetime) -> Member | DomainError:
    """Check `code` against the newest one of `phone`; return its member, or the refusal.

    The refusal is returned, not raised: the try it cost must be committed, or anybody could guess
    for ever. Raise it after the unit of work.
    """
    work = current()
    member = (
        Member.objects.select_for_update(no_key=True).filter(phone=phone, is_active=True).first()
    )
    newest = (
        LoginCode.objects.select_for_update(no_key=True)
        .filter(phone_digest=keyed_hash("phone", phone))
        .order_by("-created_at", "-pk")
        .first()
    )
    expected = newest.digest if newest else ""
    matches = hmac.compare_digest(keyed_hash("code", f"{phone}\n{code}"), expected)
    if newest is None:
        return WrongCode()
    if now >= newest.expires_at or newest.tries_left == 0:
        return CodeExpired()
    if not matches or newest.used_at is not None or member is None:
        # A used code counts as wrong: "used" would tell that the number has an account.
        newest.tries_left -= 1
        newest.save(update_fields=["tries_left"])
        return WrongCode()
    newest.used_at = now
    newest.save(update_fields=["used_at"])
    work.audit("member.signed_in", member)
    return member


def issue_token(*, member: Member, label: str, now: datetime) -> str:
    """Make an API token for `member` and return it: only its hash is kept.

    Who may call this is settled before: a right code, or a command on the server.
    """
    work = current()
    if not member.is_active:
        raise NotFound
    token = secrets.token_urlsafe(32)
    kept = ApiToken.objects.create(
        member=member, digest=token_digest(token), label=label, created_at=now
    )
    work.audit("token.issued", kept, after={"member": member.pk, "label": label})
    return token


def revoke_token(*, token_id: int, actor: Member, now: datetime) -> None:
    """End one of the actor's own tokens; raise NotFound for anybody else's."""
    work = current()
    token = ApiToken.objects.filter(pk=token_id, member=actor).first()
    if token is None:
        raise NotFound
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        registry.recheck(actor.pk)
        work.audit("token.revoked", token)


def sign_out_everywhere(*, member: Member, now: datetime) -> None:
    """End every session, token and socket of a member whose account is closed.

    Whoever is let in again later signs in anew. Who may call this is settled before.
    """
    work = current()
    ApiToken.objects.filter(member=member, revoked_at=None).update(revoked_at=now)
    # Every session carries a hash of this field: a new value ends them all.
    member.set_unusable_password()
    member.save(update_fields=["password"])
    registry.recheck(member.pk)
    work.audit("member.signed_out", member)
