"""Where is this address? The community's own buildings first, then a geocoder if one is set.

The geocoder is off unless LINLI_GEOCODER names one. What it says is kept, it is asked at most once
a second, and its failure never stops anything: an address is then just not found.
"""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import cache
from geopy.exc import GeopyError
from geopy.extra.rate_limiter import RateLimiter
from geopy.geocoders import get_geocoder_for_service
from shapely import Point, STRtree

from common import clock
from common.unit_of_work import unit_of_work
from grids.places.addresses import AddressIndex, Ambiguous, normal
from grids.places.datum import point_to_wgs84
from grids.places.models import Building, Community, GeocodeAnswer

logger = logging.getLogger(__name__)
_KEPT = timedelta(days=180)
_NOWHERE_KEPT = timedelta(days=7)
_NEAR_M = 40
_METRES_PER_DEGREE = 111_195
# What Chinese services answer is in their own datum.
_DATUMS = {"baidu": "bd09", "baiduv3": "bd09"}


@dataclass(frozen=True)
class Place:
    """One answer: WGS84, and the building where it is one of ours."""

    label: str
    lat: float
    lon: float
    source: str
    building: int | None = None
    community: int | None = None


def search(query: str, communities: Iterable[Community]) -> list[Place]:
    """Return places for `query`: buildings of these communities, else the geocoder's answer."""
    found = [
        Place(str(one), one.lat, one.lon, "buildings", one.pk, one.community_id)
        for community in communities
        for one in AddressIndex(community).like(query)
    ]
    if not found:
        answer = ask(query)
        found = [answer] if answer else []
    return found[:10]


def homes(community: Community, addresses: Iterable[str]) -> dict[str, int]:
    """Find by geocoder the buildings of addresses that no building has; {} when it is off.

    Call it before a transaction is opened: the network may be slow.
    """
    if not settings.GEOCODER:
        return {}
    index = AddressIndex(community)
    unknown = []
    for address in dict.fromkeys(filter(None, addresses)):
        try:
            if index.find(address) is None:
                unknown.append(address)
        except Ambiguous:
            continue
    rows = list(
        Building.objects.filter(community__path__startswith=community.path).values_list(
            "pk", "lon", "lat"
        )
    )
    if not unknown or not rows:
        return {}
    squeeze = math.cos(math.radians(rows[0][2]))
    tree = STRtree([Point(lon * squeeze, lat) for _, lon, lat in rows])
    found: dict[str, int] = {}
    for address in unknown:
        place = ask(address)
        if place is None:
            continue
        at = Point(place.lon * squeeze, place.lat)
        near, metres = tree.query_nearest(at, return_distance=True, all_matches=False)
        if len(near) and metres[0] * _METRES_PER_DEGREE <= _NEAR_M:
            found[address] = rows[int(near[0])][0]
    return found


def ask(query: str) -> Place | None:
    """Ask the geocoder, or what it said before; None when off, unknown, busy or out of order."""
    key = normal(query)[:200]
    if not settings.GEOCODER or not key:
        return None
    now = clock.now()
    kept = GeocodeAnswer.objects.filter(query=key).first()
    if kept is not None:
        fresh = _KEPT if kept.lat is not None else _NOWHERE_KEPT
        if kept.asked_at > now - fresh:
            return _place(kept)
    # One process asks at a time; with Redis that holds for all processes of the town.
    if not cache.add("geocode.turn", 1, timeout=settings.GEOCODER_TIMEOUT_S + 1):
        return None
    try:
        answer = _geocoder()(" ".join(query.split())[:200])
    except (GeopyError, OSError, ValueError) as error:
        logger.warning("geocoder %s gave no answer: %s", settings.GEOCODER, type(error).__name__)
        return _place(kept) if kept is not None else None
    finally:
        cache.delete("geocode.turn")
    row = GeocodeAnswer(query=key, asked_at=now)
    if answer is not None:
        datum = _DATUMS.get(settings.GEOCODER, "wgs84")
        row.lon, row.lat = point_to_wgs84(answer.longitude, answer.latitude, datum)
        row.label = str(answer.address or "")[:300]
    with unit_of_work(now=now):
        GeocodeAnswer.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["query"],
            update_fields=["lat", "lon", "label", "asked_at"],
        )
    return _place(row)


def _place(row: GeocodeAnswer) -> Place | None:
    if row.lat is None or row.lon is None:
        return None
    return Place(row.label or row.query, row.lat, row.lon, "geocoder")


@lru_cache(maxsize=1)
def _geocoder() -> Any:
    """Return the configured geocoder's search, at most one question a second."""
    service = get_geocoder_for_service(settings.GEOCODER)(
        timeout=settings.GEOCODER_TIMEOUT_S, **settings.GEOCODER_OPTIONS
    )
    return RateLimiter(
        service.geocode, min_delay_seconds=1.0, max_retries=0, swallow_exceptions=False
    )
