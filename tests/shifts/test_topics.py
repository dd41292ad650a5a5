"""Who may follow which topic."""

import pytest

from grids.people.models import Member
from realtime import registry
from tests.factories import CommunityFactory, MemberFactory, Town, grant

pytestmark = pytest.mark.django_db


def may(member: Member, topic: str) -> bool:
    found = registry.parse(topic)
    assert found is not None
    kind, subject = found
    return kind.may_subscribe(Member.objects.get(pk=member.pk), subject)


def test_the_board_is_for_the_district_and_names_for_captains(town: Town) -> None:
    board, names = f"community:{town.community.pk}", f"cell:{town.cells[0].pk}"
    neighbour = MemberFactory(community=CommunityFactory(parent=town.community.parent))
    stranger = MemberFactory(community=CommunityFactory())
    of_cell = MemberFactory(community=town.community)
    grant(of_cell, "captain", cell=town.cells[0])
    allowed = {
        member: (may(member, board), may(member, names))
        for member in (town.captain, of_cell, town.volunteers[0], neighbour, stranger)
    }
    assert list(allowed.values()) == [
        (True, True), (True, True), (True, False), (True, False), (False, False),
    ]  # fmt: skip
    assert not may(of_cell, f"cell:{town.cells[1].pk}")
    assert not may(town.captain, "community:999999999")
    assert not may(town.captain, "cell:999999999")
