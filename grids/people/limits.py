"""How many sign-in codes a phone and an address may ask for, counted in the database."""

import hmac
import ipaddress
import math
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from common.errors import TooMany
from grids.people.models import LoginCode

# (how many codes, within which time)
PER_PHONE = [(3, timedelta(minutes=10)), (10, timedelta(days=1))]
PER_ADDRESS = [(30, timedelta(minutes=10)), (300, timedelta(days=1))]
LONGEST = timedelta(days=1)


def keyed_hash(purpose: str, text: str) -> str:
    """Return HMAC-SHA256 of `text` under the site's secret, separate for each purpose."""
    return hmac.new(
        settings.SECRET_KEY.encode(), f"linli.{purpose}\n{text}".encode(), sha256
    ).hexdigest()


def client_address(request: HttpRequest) -> str:
    """Return where the request came from; an IPv6 address as its /64, which one home owns.

    X-Forwarded-For counts only behind our own proxy, and of it only the last entry, which that
    proxy wrote: the ones before are whatever the client claims.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if settings.TRUST_PROXY:
        claimed = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip()
        address = claimed or address
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)


def refuse_too_many(*, phone_digest: str, address_digest: str, now: datetime) -> None:
    """Raise TooMany when this phone or address asked too often.

    Requests of the same phone or address wait for each other, so that a burst can't slip
    through between counting and inserting.
    """
    _take_turns(phone_digest, address_digest)
    waits = [
        *_waits("phone_digest", phone_digest, PER_PHONE, now),
        *_waits("address_digest", address_digest, PER_ADDRESS, now),
    ]
    if waits:
        raise TooMany(retry_after=max(waits))


def _take_turns(*digests: str) -> None:
    """Lock these names until the commit; SQLite's writers take turns anyway."""
    if connection.vendor != "postgresql":
        return
    keys = sorted(int(digest[:15], 16) for digest in digests)
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _waits(
    column: str, digest: str, limits: list[tuple[int, timedelta]], now: datetime
) -> list[int]:
    """Return the seconds until each exceeded limit has room again."""
    most = max(count for count, _ in limits)
    asked = list(
        LoginCode.objects.filter(**{column: digest}, created_at__gt=now - LONGEST)
        .order_by("-created_at")
        .values_list("created_at", flat=True)[:most]
    )
    waits = []
    for count, window in limits:
        if len(asked) >= count and asked[count - 1] > now - window:
            waits.append(max(1, math.ceil((asked[count - 1] + window - now).total_seconds())))
    return waits
