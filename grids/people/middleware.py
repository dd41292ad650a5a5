"""Speak the member's language, and tell the time of where they live."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from grids.people.models import Member


class MemberLanguageMiddleware:
    """A signed-in member's own language wins over the browser's, unless a cookie says more.

    Times on pages are those of the member's community.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        if not chosen and isinstance(request.user, Member):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE
        with timezone.override(_zone_of(request)):
            return self.get_response(request)


def _zone_of(request: HttpRequest) -> ZoneInfo:
    """Return the zone of the member's community, or the site's."""
    member = request.user
    if isinstance(member, Member) and member.community is not None:
        return ZoneInfo(member.community.zone)
    return ZoneInfo(settings.TIME_ZONE)
