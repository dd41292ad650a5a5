"""Pages tell the time of where the member lives."""

from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from grids.people.middleware import MemberLanguageMiddleware
from tests.factories import CommunityFactory, MemberFactory

NOON_UTC = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "hour"), [("Europe/Vaduz", 13), ("Asia/Shanghai", 20)])
def test_times_are_those_of_the_members_community(rf: RequestFactory, zone: str, hour: int) -> None:
    seen = []

    def page(request: HttpRequest) -> HttpResponse:
        seen.append(timezone.localtime(NOON_UTC).hour)
        return HttpResponse()

    request = rf.get("/")
    request.user = MemberFactory(community=CommunityFactory(zone=zone))
    MemberLanguageMiddleware(page)(request)
    assert seen == [hour]
