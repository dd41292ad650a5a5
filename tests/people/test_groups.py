"""Chat groups: who opens, joins, sees and closes them; never more than a group holds."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from common.errors import BadInput, NotAllowed, NotFound
from common.unit_of_work import unit_of_work
from grids.people import queries, services
from grids.people.models import GroupMember, Member, Role
from grids.places.models import GROUP_MOST, Cell
from realtime import registry
from realtime.models import Event
from tests.factories import NOW, BuildingFactory, MemberFactory, Town, a_community, grant


def do(actor: Any, service: Callable[..., Any], **kwargs: Any) -> Any:
    with unit_of_work(actor, now=NOW) as work:
        return service(actor=actor, now=work.now, **kwargs)


@pytest.fixture
def group(town: Town) -> Cell:
    cell: Cell = do(town.captain, services.create_group, community=town.community, name="广场舞")
    return cell


def test_a_captain_opens_groups_and_a_neighbour_does_not(town: Town, group: Cell) -> None:
    assert (group.kind, group.code, group.name) == ("virtual", "V001", "广场舞")
    second = do(town.captain, services.create_group, community=town.community, name="二")
    assert second.code == "V002"
    with pytest.raises(NotAllowed):
        do(town.volunteers[0], services.create_group, community=town.community, name="三")
    with pytest.raises(BadInput):
        do(town.captain, services.create_group, community=town.community, name=" \n ")


def test_the_captain_of_one_cell_opens_no_group(town: Town) -> None:
    grant(town.volunteers[0], "captain", cell=town.cells[0])
    with pytest.raises(NotAllowed):
        do(town.volunteers[0], services.create_group, community=town.community, name="三")


def test_one_joins_by_the_link_once_and_leaves(town: Town, group: Cell) -> None:
    who = town.volunteers[0]
    do(who, services.join_group, key=group.join_key)
    with pytest.raises(services.InGroup):
        do(who, services.join_group, key=group.join_key)
    group.refresh_from_db()
    assert group.group_size == 1
    assert [cell.pk for cell in queries.cells_of(who)] == [town.cells[0].pk, group.pk]
    do(who, services.leave_group, cell=group)
    group.refresh_from_db()
    assert group.group_size == 0
    with pytest.raises(services.NotInGroup):
        do(who, services.leave_group, cell=group)
    do(who, services.join_group, key=group.join_key)


def test_an_old_link_and_another_towns_link_lead_nowhere(town: Town, group: Cell) -> None:
    with pytest.raises(NotFound):
        do(a_community().volunteers[0], services.join_group, key=group.join_key)
    old = group.join_key
    do(town.captain, services.renew_link, cell=group)
    with pytest.raises(NotFound):
        do(town.volunteers[0], services.join_group, key=old)
    with pytest.raises(NotFound):
        do(town.volunteers[0], services.join_group, key=town.cells[0].join_key)


def test_a_full_group_takes_nobody_and_the_database_says_so_too(town: Town, group: Cell) -> None:
    Cell.objects.filter(pk=group.pk).update(group_size=GROUP_MOST)
    with pytest.raises(services.GroupFull):
        do(town.volunteers[0], services.join_group, key=group.join_key)
    assert not GroupMember.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Cell.objects.filter(pk=group.pk).update(group_size=GROUP_MOST + 1)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_on_the_last_place_fill_just_it() -> None:
    town = a_community(volunteers=6)
    group = do(town.captain, services.create_group, community=town.community, name="g")
    Cell.objects.filter(pk=group.pk).update(group_size=GROUP_MOST - 1)
    start, outcomes = threading.Barrier(6), []

    def enter(who: Member) -> None:
        start.wait()
        try:
            do(who, services.join_group, key=group.join_key)
            outcomes.append("in")
        except services.GroupFull:
            outcomes.append("full")
        finally:
            connection.close()

    threads = [threading.Thread(target=enter, args=(who,)) for who in town.volunteers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["full"] * 5 + ["in"]
    group.refresh_from_db()
    assert (group.group_size, GroupMember.objects.count()) == (GROUP_MOST, 1)


def test_a_captain_lets_in_neighbours_only(town: Town, group: Cell) -> None:
    do(town.captain, services.add_to_group, cell=group, member=town.volunteers[1])
    with pytest.raises(NotFound):
        do(town.captain, services.add_to_group, cell=group, member=MemberFactory())
    with pytest.raises(NotAllowed):
        do(town.volunteers[1], services.add_to_group, cell=group, member=town.volunteers[2])
    do(town.captain, services.remove_from_group, cell=group, member=town.volunteers[1])
    with pytest.raises(services.NotInGroup):
        do(town.captain, services.remove_from_group, cell=group, member=town.volunteers[1])


def test_the_groups_captain_sees_its_members_until_they_leave(town: Town, group: Cell) -> None:
    captain = MemberFactory(community=town.community)
    grant(captain, "captain", cell=group)
    who = town.volunteers[0]
    assert not queries.members_visible_to(captain).filter(pk=who.pk).exists()
    do(who, services.join_group, key=group.join_key)
    assert queries.members_visible_to(captain).filter(pk=who.pk).exists()
    assert not queries.members_visible_to(captain).filter(pk=town.volunteers[1].pk).exists()
    do(who, services.leave_group, cell=group)
    assert not queries.members_visible_to(captain).filter(pk=who.pk).exists()


def test_the_groups_topic_is_for_its_captains_until_it_closes(town: Town, group: Cell) -> None:
    captain = MemberFactory(community=town.community)
    grant(captain, "captain", cell=group)
    who = town.volunteers[0]
    do(who, services.join_group, key=group.join_key)

    def may(member: Member) -> bool:
        afresh = Member.objects.get(pk=member.pk)
        return registry.kinds["cell"].may_subscribe(afresh, group.pk)

    assert may(captain)
    assert not may(who)
    assert not may(a_community().captain)
    do(town.captain, services.retire_group, cell=group)
    assert not may(captain)
    assert Event.objects.filter(type="member.recheck", data__member=captain.pk).exists()


def test_closing_ends_memberships_and_roles_and_keeps_history(town: Town, group: Cell) -> None:
    captain = MemberFactory(community=town.community)
    role = grant(captain, "captain", cell=group)
    do(town.volunteers[0], services.join_group, key=group.join_key)
    do(captain, services.retire_group, cell=group)
    group.refresh_from_db()
    role.refresh_from_db()
    assert (group.retired_at, group.group_size) == (NOW, 0)
    assert role.ends_on is not None
    assert GroupMember.objects.get().left_at == NOW
    assert queries.groups_of(town.volunteers[0]) == []
    with pytest.raises(NotFound):
        do(town.volunteers[0], services.join_group, key=group.join_key)
    with pytest.raises(NotFound):
        do(town.captain, services.rename_group, cell=group, name="x")


def test_names_go_to_captain_and_member_never_to_the_board(town: Town, group: Cell) -> None:
    who = town.volunteers[0]
    do(who, services.join_group, key=group.join_key)
    told = Event.objects.filter(type="cell.joined").values_list("topic__name", flat=True)
    assert set(told) == {f"cell:{group.pk}", f"member:{who.pk}"}


def test_erasure_leaves_the_groups(town: Town, group: Cell) -> None:
    who = town.volunteers[0]
    do(who, services.join_group, key=group.join_key)
    do(who, services.erase_member, member=who)
    group.refresh_from_db()
    assert group.group_size == 0


def test_over_the_api(api: APIClient, town: Town) -> None:
    api.force_authenticate(town.captain)
    body = {"community": town.community.pk, "name": "合唱队"}
    made = api.post("/api/v1/cells", body, format="json")
    assert made.status_code == 201, made.json()
    group, key = made.json()["id"], made.json()["join_key"]
    who = town.volunteers[0]
    api.force_authenticate(who)
    assert api.post("/api/v1/cells", body, format="json").json()["code"] == "not_allowed"
    joined = api.post("/api/v1/cells/join", {"key": key}, format="json")
    assert (joined.status_code, joined.json()["members"]) == (201, 1)
    assert "join_key" not in joined.json()
    assert api.get(f"/api/v1/cells/{group}/members").status_code == 403
    mine = api.get("/api/v1/me").json()["cells"]
    assert [cell["kind"] for cell in mine] == ["geographic", "virtual"]
    seen = api.get("/api/v1/cells", {"community": town.community.pk}).json()["features"]
    shown = next(each for each in seen if each["id"] == group)
    assert shown["properties"]["members"] == 1
    assert api.delete(f"/api/v1/cells/{group}").status_code == 403
    assert api.post(f"/api/v1/cells/{group}/leave").status_code == 204
    api.force_authenticate(town.captain)
    url = f"/api/v1/cells/{group}/members"
    assert api.post(url, {"member": who.pk}, format="json").status_code == 201
    assert api.get(url).json() == [{"id": who.pk, "name": who.display_name}]
    assert api.delete(f"{url}/{who.pk}").status_code == 204
    renamed = api.patch(f"/api/v1/cells/{group}", {"name": "老年合唱队"}, format="json")
    assert renamed.json()["name"] == "老年合唱队"
    assert api.patch(f"/api/v1/cells/{town.cells[0].pk}", {"name": "x"}).status_code == 404
    assert api.delete(f"/api/v1/cells/{group}").status_code == 204
    api.force_authenticate(a_community().captain)
    assert api.get(url).status_code == 404


def test_the_pages_show_names_and_link_only_to_who_leads(
    client: Client, town: Town, group: Cell
) -> None:
    do(town.volunteers[0], services.join_group, key=group.join_key)
    stranger = client.get(f"/join/{group.join_key}/").content.decode()
    assert "广场舞" in stranger
    for member in (town.captain, town.volunteers[0]):
        assert member.display_name not in stranger
        assert str(member.phone) not in stranger
    client.force_login(town.volunteers[1])
    page = client.get(f"/cells/{group.pk}/").content.decode()
    assert group.join_key not in page
    assert town.volunteers[0].display_name not in page
    assert client.post(f"/cells/{group.pk}/close/").status_code == 302
    assert Cell.objects.get(pk=group.pk).retired_at is None
    client.post(f"/join/{group.join_key}/")
    assert GroupMember.objects.filter(member=town.volunteers[1], left_at=None).exists()
    client.force_login(town.captain)
    page = client.get(f"/cells/{group.pk}/").content.decode()
    assert group.join_key in page
    assert town.volunteers[0].display_name in page
    found = client.get(f"/cells/{group.pk}/", {"q": town.volunteers[2].display_name})
    assert [each.pk for each in found.context["found"]] == [town.volunteers[2].pk]
    client.post(f"/cells/{group.pk}/add/", {"member": town.volunteers[2].pk})
    client.post(f"/cells/{group.pk}/remove/", {"member": town.volunteers[0].pk})
    client.post(f"/cells/{group.pk}/rename/", {"name": "新名"})
    group.refresh_from_db()
    assert (group.group_size, group.name) == (2, "新名")
    client.post(f"/cells/{group.pk}/close/")
    assert client.get(f"/cells/{group.pk}/").status_code == 404


def test_opening_a_group_on_the_page(client: Client, town: Town) -> None:
    client.force_login(town.captain)
    answer = client.post("/cells/", {"community": town.community.pk, "name": "太极拳"})
    cell = Cell.objects.get(name="太极拳")
    assert answer["Location"] == f"/cells/{cell.pk}/"
    other = a_community()
    answer = client.post("/cells/", {"community": other.community.pk, "name": "x"})
    assert answer.status_code == 404
    client.force_login(town.volunteers[0])
    assert "太极拳" not in client.get("/cells/").content.decode()


def test_another_towns_cell_is_404_and_a_poster_leads_home(client: Client, town: Town) -> None:
    other = a_community()
    client.force_login(town.volunteers[0])
    assert client.get(f"/cells/{other.cells[0].pk}/").status_code == 404
    assert client.get(f"/join/{other.cells[0].join_key}/").status_code == 404
    assert client.get("/join/%00/").status_code == 404
    answer = client.get(f"/join/{town.cells[0].join_key}/")
    assert answer["Location"] == f"/cells/{town.cells[0].pk}/"


def test_a_building_captain_sees_who_lives_there_while_in_office(town: Town) -> None:
    who = MemberFactory(community=town.community)
    role = grant(who, "building_captain", building=town.buildings[0])
    seen = queries.members_visible_to(who)
    assert seen.filter(pk=town.volunteers[0].pk).exists()
    assert not seen.filter(pk=town.volunteers[1].pk).exists()
    role.ends_on = (NOW - timedelta(days=30)).date()
    role.save()
    afresh = Member.objects.get(pk=who.pk)
    assert not queries.members_visible_to(afresh).filter(pk=town.volunteers[0].pk).exists()


def test_a_building_captain_is_appointed_above_the_building(town: Town) -> None:
    boss = MemberFactory(community=town.community)
    grant(boss, "administrator", community=town.community)
    building = town.buildings[0]
    for bad in ({"community": town.community}, {"cell": town.cells[0]}):
        with pytest.raises(BadInput):
            do(boss, services.grant_role, member=boss, kind="building_captain", **bad)
    role = do(
        boss, services.grant_role, member=town.volunteers[0], kind="building_captain",
        building=building,
    )  # fmt: skip
    assert role.scope == building
    away = BuildingFactory()
    with pytest.raises(NotAllowed):
        do(boss, services.grant_role, member=boss, kind="building_captain", building=away)


def test_an_estate_takes_each_building_once(town: Town) -> None:
    from tests.factories import OrganisationFactory

    boss = MemberFactory(community=town.community)
    grant(boss, "administrator", community=town.community)
    firm = OrganisationFactory(community=town.community)
    made: dict[str, Any] = {"community": town.community, "firm": firm, "name": "幸福物业"}
    with pytest.raises(NotAllowed):
        do(town.captain, services.create_estate, buildings=town.buildings, **made)
    estate = do(boss, services.create_estate, buildings=town.buildings[:1], **made)
    assert (estate.cell.kind, estate.cell.code) == ("estate", "E001")
    with pytest.raises(services.InAnotherEstate):
        do(boss, services.create_estate, buildings=town.buildings, **made)
    with pytest.raises(NotFound):
        do(boss, services.change_estate, estate=estate, buildings=[BuildingFactory()])
    do(boss, services.change_estate, estate=estate, buildings=town.buildings)
    assert estate.buildings.count() == 2
    do(boss, services.retire_estate, estate=estate)
    assert Cell.objects.get(pk=estate.cell_id).retired_at == NOW
    do(boss, services.create_estate, buildings=town.buildings, **made)
    assert Role.objects.filter(cell=estate.cell).count() == 0
