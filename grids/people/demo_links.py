"""Sign-in links for the demo; they open nothing in production."""

import hmac

from django.conf import settings
from django.core import signing
from django.urls import reverse

from grids.people.limits import keyed_hash
from grids.people.models import Member

_SALT = "linli.demo-link"
LIVES_SECONDS = 24 * 60 * 60


def demo_sign_in_link(member: Member) -> str:
    """Return the path that signs `member` in for 24 hours, as often as it is opened.

    It belongs to this demo's database: the next demo's member of the same id is somebody else.
    """
    signed = signing.dumps([member.pk, _fingerprint(member)], salt=_SALT)
    return reverse("people:sign-in-link", args=[signed])


def member_of_link(signed: str) -> Member | None:
    """Return whom the link signs in; None in production, for a forged, old or foreign link."""
    if settings.LINLI_ENV == "production":
        return None
    try:
        pk, fingerprint = signing.loads(signed, salt=_SALT, max_age=LIVES_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    member = Member.objects.filter(pk=pk, is_active=True).first()
    if member is None or not hmac.compare_digest(fingerprint, _fingerprint(member)):
        return None
    return member


def _fingerprint(member: Member) -> str:
    return keyed_hash("demo-link", f"{member.pk} {member.phone} {member.joined_at}")[:32]
