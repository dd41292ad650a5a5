"""Which door is marked as the current one."""

import pytest
from django.test import RequestFactory

from config.navigation import navigation
from grids.people.models import Member
from tests.factories import Town

pytestmark = pytest.mark.django_db


def marked(member: Member, path: str) -> list[str]:
    request = RequestFactory().get(path)
    request.user = member
    return [door["url"] for door in navigation(request)["nav_items"] if door["current"]]


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/", "/"),
        ("/credits/", "/credits/"),
        ("/give/", "/credits/"),
        ("/pay/", "/credits/"),
        ("/hours/", "/hours/"),
        ("/hours/review/", "/hours/"),
        ("/shifts/7/", "/shifts/"),
    ],
)
def test_a_page_marks_the_door_it_is_behind(town: Town, path: str, door: str) -> None:
    assert marked(town.volunteers[0], path) == [door]


def test_a_reviewer_has_a_door_of_their_own(town: Town) -> None:
    assert marked(town.reviewer, "/hours/review/") == ["/hours/review/"]
    assert marked(town.reviewer, "/hours/") == ["/hours/"]
