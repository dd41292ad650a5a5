"""What ends a right also tells the sockets, in the same commit."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from common.unit_of_work import unit_of_work
from grids.people import services
from grids.people.models import ApiToken, Member, Role
from realtime.models import Event
from tests.factories import NOW, MemberFactory, Town


def rechecked() -> list[Any]:
    return list(Event.objects.filter(type="member.recheck").values_list("data__member", flat=True))


def _revoke_role(town: Town) -> int:
    role = Role.objects.get(member=town.captain)
    with unit_of_work():
        services.revoke_role(role=role, actor=town.captain, now=NOW)
    return town.captain.pk


def _grant_role(town: Town) -> int:
    with unit_of_work():
        services.grant_role(
            member=town.volunteers[0], kind="captain", actor=None, now=NOW, cell=town.cells[0]
        )
    return town.volunteers[0].pk


def _revoke_token(town: Town) -> int:
    member = town.volunteers[0]
    with unit_of_work(member):
        services.issue_token(member=member, label="x", now=NOW)
        token = ApiToken.objects.get(member=member)
        services.revoke_token(token_id=token.pk, actor=member, now=NOW)
    return member.pk


def _erase(town: Town) -> int:
    member = town.volunteers[0]
    with unit_of_work(member):
        services.erase_member(member=member, actor=member, now=NOW)
    return member.pk


@pytest.mark.parametrize("act", [_revoke_role, _grant_role, _revoke_token, _erase])
def test_sockets_are_asked_again(town: Town, act: Callable[[Town], int]) -> None:
    member = act(town)
    assert member in rechecked()


def test_signing_out_closes_its_sockets(client: Client, town: Town) -> None:
    client.force_login(town.captain)
    client.post("/sign-out/")
    assert rechecked() == [town.captain.pk]


def _change(browser: Client, member: Member, **fields: object) -> None:
    """Send the admin's form for a member, with some fields changed; False is an unticked box."""
    address = f"/admin/people/member/{member.pk}/change/"
    form = browser.get(address).context["adminform"].form
    sent = {name: form[name].value() for name in form.fields} | fields
    sent = {name: value for name, value in sent.items() if value is not None and value is not False}
    assert browser.post(address, sent).status_code == 302


@pytest.fixture
def office(client: Client, db: None) -> Client:
    client.force_login(MemberFactory(is_staff=True, is_superuser=True))
    return client


def test_the_admin_closes_an_account_and_all_its_doors(office: Client, town: Town) -> None:
    member, other = town.volunteers[:2]
    with unit_of_work():
        for one in (member, other):
            services.issue_token(member=one, label="x", now=NOW)
    page = Client()
    page.force_login(member)
    _change(office, member, is_active=False)
    assert member.pk in rechecked()
    member.refresh_from_db()
    assert not member.is_active
    assert list(ApiToken.objects.filter(revoked_at=None)) == [ApiToken.objects.get(member=other)]
    # Let in again, they sign in anew.
    _change(office, member, is_active=True)
    assert page.get("/me/").status_code == 302


def test_the_admin_withdraws_a_right_and_the_sockets_ask_again(office: Client, town: Town) -> None:
    chief = MemberFactory(is_staff=True, is_superuser=True)
    page = Client()
    page.force_login(chief)
    _change(office, chief, is_superuser=False)
    chief.refresh_from_db()
    assert not chief.is_superuser
    assert rechecked() == [chief.pk]
    assert page.get("/me/").status_code == 200, "they are still a member"


def test_the_admin_ends_a_role_and_the_sockets_ask_again(office: Client, town: Town) -> None:
    role = Role.objects.get(member=town.captain)
    sent = {"action": "end_roles", "_selected_action": [role.pk]}
    office.post("/admin/people/role/", sent)
    assert rechecked() == [town.captain.pk]
