"""Making communities: by command, by the admin; wrong input is told what to do."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from common.models import Audit
from grids.places.models import Community
from tests.factories import CommunityFactory, MemberFactory


@pytest.mark.django_db
def test_a_tree_is_made_from_the_top() -> None:
    call_command("create_community", "rc", "荣成市", level="district")
    call_command("create_community", "hd", "河东社区", parent="rc", zone="Europe/Vaduz")
    top, below = Community.objects.get(code="rc"), Community.objects.get(code="hd")
    assert top.path == f"/{top.pk}/"
    assert (below.path, below.zone) == (f"/{top.pk}/{below.pk}/", "Europe/Vaduz")
    assert Audit.objects.filter(action="community.created").count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parent": "none"}, "no community with the code 'none'"),
        ({"zone": "Mars/Crater"}, "Not an IANA time zone|时区"),
        ({"zone": "../etc"}, "Not an IANA time zone|时区"),
    ],
)
def test_wrong_input_is_said(options: dict[str, str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("create_community", "x", "X", **options)
    assert not Community.objects.exists()


@pytest.mark.django_db
def test_a_code_is_taken_once() -> None:
    CommunityFactory(code="x")
    with pytest.raises(CommandError):
        call_command("create_community", "x", "X")


def test_the_admin_places_a_new_community_in_the_tree(client: Client, db: None) -> None:
    parent = CommunityFactory(level="district")
    client.force_login(MemberFactory(is_staff=True, is_superuser=True))
    answer = client.post(
        "/admin/places/community/add/",
        {
            "code": "new",
            "name": "新社区",
            "level": "community",
            "parent": parent.pk,
            "zone": "Asia/Shanghai",
            "band_min": 300,
            "band_max": 500,
            "least_rest_minutes": 60,
        },
    )
    assert answer.status_code == 302
    made = Community.objects.get(code="new")
    assert made.path == f"{parent.path}{made.pk}/"
    assert Audit.objects.filter(action="admin.add", subject_id=made.pk).exists()
