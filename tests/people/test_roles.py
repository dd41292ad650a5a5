"""Who holds which role where, who may grant it, and what it lets them see."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.models import Audit
from common.unit_of_work import unit_of_work
from grids.people import queries, rules, services
from grids.people.models import Member, Organisation, Proxy, Role
from grids.people.services.roles import SCOPES
from grids.places.models import Cell, Community
from tests.factories import (
    NOW,
    BuildingFactory,
    CellFactory,
    CommunityFactory,
    MemberFactory,
    OrganisationFactory,
    grant,
)
from tests.people.factories import ProxyFactory

TODAY = date(2026, 6, 1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@dataclass
class Tree:
    """district → street → (east, west); one cell and one organisation in each community."""

    district: Community
    street: Community
    east: Community
    west: Community
    east_cell: Cell
    other_east_cell: Cell
    west_cell: Cell
    kitchen: Organisation
    shop: Organisation

    def scope(self, name: str) -> dict[str, Any]:
        thing = getattr(self, name)
        kind = {Community: "community", Cell: "cell", Organisation: "organisation"}[type(thing)]
        return {kind: thing}


@pytest.fixture
def tree() -> Tree:
    district = CommunityFactory(level="district")
    street = CommunityFactory(parent=district, level="street")
    east, west = CommunityFactory(parent=street), CommunityFactory(parent=street)
    return Tree(
        district, street, east, west,
        CellFactory(community=east), CellFactory(community=east), CellFactory(community=west),
        OrganisationFactory(community=east), OrganisationFactory(community=east),
    )  # fmt: skip


EVERYTHING = {
    "district", "street", "east", "west",
    "east_cell", "other_east_cell", "west_cell", "kitchen", "shop",
}  # fmt: skip


@pytest.mark.parametrize(
    ("held", "covers"),
    [
        ("district", EVERYTHING),
        ("street", EVERYTHING - {"district"}),
        ("east", {"east", "east_cell", "other_east_cell", "kitchen", "shop"}),
        ("west", {"west", "west_cell"}),
        ("east_cell", {"east_cell"}),
        ("kitchen", {"kitchen"}),
    ],
)
def test_a_role_covers_its_scope_and_what_lies_below(
    tree: Tree, held: str, covers: set[str]
) -> None:
    member = MemberFactory()
    grant(member, "dispatcher", **tree.scope(held))
    found = {
        name for name in EVERYTHING if rules.has_role(member, {"dispatcher"}, **tree.scope(name))
    }
    assert found == covers
    assert not any(rules.has_role(member, {"captain"}, **tree.scope(name)) for name in EVERYTHING)
    assert rules.holds_anywhere(member, {"dispatcher"})
    assert not rules.holds_anywhere(member, {"captain"})


def test_a_sibling_whose_id_starts_alike_is_not_covered(tree: Tree) -> None:
    near = Community.objects.create(code="near", name="x", path=tree.east.path[:-1] + "0/")
    member = MemberFactory()
    grant(member, "captain", community=tree.east)
    assert not rules.has_role(member, {"captain"}, community=near)


@pytest.mark.parametrize(
    ("starts", "ends", "holds"),
    [
        (0, None, True), (1, None, False), (-9, 0, True), (-9, -1, False), (0, 0, True),
        (1, 5, False),
    ],
)  # fmt: skip
def test_a_role_holds_on_its_days_only(
    tree: Tree, starts: int, ends: int | None, holds: bool
) -> None:
    member = MemberFactory()
    grant(
        member, "captain", cell=tree.east_cell,
        starts_on=TODAY + timedelta(days=starts),
        ends_on=None if ends is None else TODAY + timedelta(days=ends),
    )  # fmt: skip
    assert rules.has_role(member, {"captain"}, cell=tree.east_cell) is holds


def test_nobody_in_particular_holds_nothing(tree: Tree) -> None:
    from django.contrib.auth.models import AnonymousUser

    assert not rules.has_role(AnonymousUser(), {"captain"}, community=tree.east)
    assert not queries.members_visible_to(AnonymousUser()).exists()
    assert not queries.organisations_visible_to(AnonymousUser()).exists()
    assert not queries.communities_of(AnonymousUser()).exists()


def give(actor: Member | None, kind: str = "captain", **fields: Any) -> Role | str:
    fields.setdefault("member", MemberFactory())
    try:
        with unit_of_work(actor) as work:
            return services.grant_role(kind=kind, actor=actor, now=work.now, **fields)
    except DomainError as error:
        return error.code


def test_an_administrator_grants_within_the_subtree_only(tree: Tree) -> None:
    admin = MemberFactory()
    grant(admin, "administrator", community=tree.east)
    role = give(admin, cell=tree.east_cell)
    assert isinstance(role, Role)
    assert (role.starts_on, role.ends_on) == (TODAY, None)
    row = Audit.objects.get(action="role.granted")
    assert (row.actor, row.subject_id) == (admin, role.pk)
    assert row.after["cell"] == tree.east_cell.pk
    assert isinstance(give(admin, "partner_staff", organisation=tree.kitchen), Role)
    assert isinstance(give(admin, "administrator", community=tree.east), Role)
    assert give(admin, cell=tree.west_cell) == "not_allowed"
    assert give(admin, "administrator", community=tree.street) == "not_allowed"


@pytest.mark.parametrize("kind", sorted(set(Role.Kind.values) - {"administrator"}))
def test_no_other_role_may_grant(tree: Tree, kind: str) -> None:
    actor = MemberFactory()
    grant(actor, kind, community=tree.district)
    assert give(actor, cell=tree.east_cell) == "not_allowed"
    assert give(MemberFactory(), cell=tree.east_cell) == "not_allowed"


def test_the_platform_administrator_and_the_system_may_grant_anywhere(tree: Tree) -> None:
    assert isinstance(give(MemberFactory(is_superuser=True), cell=tree.west_cell), Role)
    assert isinstance(give(None, cell=tree.west_cell), Role)
    assert give(MemberFactory(is_superuser=True, is_active=False), cell=tree.west_cell) == (
        "not_allowed"
    )


def test_bad_grants_are_refused(tree: Tree) -> None:
    assert give(None, "king", community=tree.east) == "invalid"
    assert give(None) == "invalid"
    assert give(None, community=tree.east, cell=tree.east_cell) == "invalid"
    assert give(None, "partner_staff", cell=tree.east_cell) == "invalid"
    assert give(None, cell=tree.east_cell, ends_on=TODAY - timedelta(days=1)) == "invalid"
    gone = MemberFactory(erased_at=NOW, is_active=False)
    assert give(None, member=gone, cell=tree.east_cell) == "not_found"
    assert set(SCOPES) == set(Role.Kind.values)


def test_the_same_role_twice_is_refused_but_a_later_term_is_not(tree: Tree) -> None:
    member = MemberFactory()
    cell = tree.east_cell
    ends = TODAY + timedelta(days=10)
    assert isinstance(give(None, member=member, cell=cell, ends_on=ends), Role)
    assert give(None, member=member, cell=cell) == "role_already_held"
    assert give(None, member=member, cell=cell, starts_on=ends) == "role_already_held"
    later = give(None, member=member, cell=cell, starts_on=ends + timedelta(days=1))
    assert isinstance(later, Role)
    earlier = give(
        None, member=member, cell=cell, starts_on=TODAY - timedelta(days=9),
        ends_on=TODAY - timedelta(days=1),
    )  # fmt: skip
    assert isinstance(earlier, Role)


def test_a_revoked_role_ends_at_once(tree: Tree) -> None:
    admin, member, stranger = MemberFactory(), MemberFactory(), MemberFactory()
    grant(admin, "administrator", community=tree.east)
    role = grant(member, "captain", cell=tree.east_cell)
    assert rules.has_role(member, {"captain"}, cell=tree.east_cell)
    with pytest.raises(NotAllowed), unit_of_work(stranger) as work:
        services.revoke_role(role=role, actor=stranger, now=work.now)
    with unit_of_work(admin) as work:
        services.revoke_role(role=role, actor=admin, now=work.now)
    assert not rules.has_role(member, {"captain"}, cell=tree.east_cell)
    row = Audit.objects.get(action="role.revoked")
    assert (row.before["ends_on"], row.after["ends_on"]) == (None, "2026-05-31")
    with pytest.raises(NotFound), unit_of_work(admin) as work:
        services.revoke_role(role=role, actor=admin, now=work.now)


def test_a_holder_may_lay_down_their_role(tree: Tree) -> None:
    member = MemberFactory()
    role = grant(member, "captain", cell=tree.east_cell)
    with unit_of_work(member) as work:
        services.revoke_role(role=role, actor=member, now=work.now)
    assert rules.roles_of(Member.objects.get(pk=member.pk)) == []


def test_proxies(tree: Tree) -> None:
    mother, daughter, stranger = (MemberFactory(community=tree.east) for _ in range(3))
    admin, far = MemberFactory(), MemberFactory()
    grant(admin, "administrator", community=tree.street)
    grant(far, "administrator", community=tree.west)

    def add(actor: Member, **fields: Any) -> Proxy:
        with unit_of_work(actor) as work:
            return services.add_proxy(
                **{"member": mother, "proxy": daughter, **fields}, actor=actor, now=work.now
            )

    for actor in (daughter, stranger, far):
        with pytest.raises(NotAllowed):
            add(actor)
    # An administrator may not make themselves the proxy.
    with pytest.raises(NotAllowed):
        add(admin, proxy=admin)
    with pytest.raises(BadInput):
        add(mother, proxy=mother)
    with pytest.raises(BadInput):
        add(mother, ends_on=TODAY - timedelta(days=1))
    assert not rules.acts_for(daughter, mother)
    held = add(mother)
    assert rules.acts_for(daughter, mother)
    assert not rules.acts_for(mother, daughter)
    assert set(queries.members_visible_to(daughter)) == {mother, daughter}
    with pytest.raises(DomainError, match="proxy_already_held"):
        add(admin)
    with pytest.raises(NotFound), unit_of_work(stranger) as work:
        services.end_proxy(proxy=held, actor=stranger, now=work.now)
    with unit_of_work(daughter) as work:
        services.end_proxy(proxy=held, actor=daughter, now=work.now)
    assert not rules.acts_for(daughter, mother)
    with pytest.raises(NotFound), unit_of_work(mother) as work:
        services.end_proxy(proxy=held, actor=mother, now=work.now)
    assert add(admin)


def test_whom_a_role_lets_one_see(tree: Tree) -> None:
    home = BuildingFactory(community=tree.east, cell=tree.east_cell)
    next_door = BuildingFactory(community=tree.east, cell=tree.other_east_cell)
    inside = MemberFactory(community=tree.east, home=home)
    beside = MemberFactory(community=tree.east, home=next_door)
    west = MemberFactory(community=tree.west)

    def seen(kind: str, scope: str, **days: Any) -> set[Member]:
        actor = MemberFactory()
        grant(actor, kind, **tree.scope(scope), **days)
        found = list(queries.members_visible_to(actor))
        assert len(found) == len(set(found))
        return set(found) - {actor}

    assert seen("captain", "east_cell") == {inside}
    assert seen("captain", "east") == {inside, beside}
    assert seen("reviewer", "district") == {inside, beside, west}
    assert seen("administrator", "west") == {west}
    assert seen("captain", "east", ends_on=TODAY - timedelta(days=1)) == set()
    assert seen("council", "district") == set()
    assert seen("partner_staff", "kitchen") == set()
    assert set(queries.members_visible_to(inside)) == {inside}
    assert queries.members_visible_to(MemberFactory(is_superuser=True)).count() == (
        Member.objects.count()
    )
    ProxyFactory(member=west, proxy=beside, ends_on=TODAY - timedelta(days=1))
    assert set(queries.members_visible_to(beside)) == {beside}


def test_communities_and_organisations_of_a_member(tree: Tree) -> None:
    elsewhere = OrganisationFactory(community=CommunityFactory())
    resident = MemberFactory(community=tree.west)
    assert set(queries.communities_of(resident)) == {tree.west}
    assert set(queries.organisations_visible_to(resident)) == {tree.kitchen, tree.shop}
    grant(resident, "auditor", community=tree.street)
    assert set(queries.communities_of(Member.objects.get(pk=resident.pk))) == {
        tree.street, tree.east, tree.west,
    }  # fmt: skip
    cook = MemberFactory()
    assert not queries.communities_of(cook).exists()
    assert not queries.organisations_visible_to(cook).exists()
    grant(cook, "partner_staff", organisation=elsewhere)
    assert set(queries.organisations_visible_to(Member.objects.get(pk=cook.pk))) == {elsewhere}


def test_captains_of_cells(tree: Tree, django_assert_num_queries: Any) -> None:
    own, second, above, top = (MemberFactory() for _ in range(4))
    grant(top, "captain", community=tree.district)
    grant(above, "captain", community=tree.east)
    grant(second, "captain", cell=tree.east_cell, starts_on=date(2021, 1, 1))
    grant(own, "captain", cell=tree.east_cell)
    grant(MemberFactory(is_active=False), "captain", cell=tree.west_cell)
    grant(MemberFactory(), "captain", cell=tree.west_cell, ends_on=date(2021, 1, 1))
    cells = list(Cell.objects.all())
    with django_assert_num_queries(2):
        found = queries.captains_of(cells)
    assert found == {
        tree.east_cell.pk: own, tree.other_east_cell.pk: above, tree.west_cell.pk: top,
    }  # fmt: skip
    lonely = CellFactory()
    assert queries.captains_of([lonely]) == {}
    assert queries.captains_of([]) == {}
