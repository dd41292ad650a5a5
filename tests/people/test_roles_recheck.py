"""What ends a right also tells the sockets, in the same commit."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from common.unit_of_work import unit_of_work
from grids.people import services
from grids.people.models import ApiToken, Role
from realtime.models import Event
from tests.factories import NOW, Town


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
