"""The own record: what /me and the export show, and what an erasure leaves."""

import io
import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from common import jobs
from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.models import Audit, IdempotencyKey
from common.unit_of_work import unit_of_work
from grids.people import registries, rules, services
from grids.people.cleanup import forget_old_sign_ins
from grids.people.models import (
    ApiToken,
    Consent,
    LoginCode,
    Member,
    MemberSkill,
    Proxy,
)
from tests.factories import NOW, BuildingFactory, CommunityFactory, MemberFactory, grant
from tests.people.factories import ConsentFactory, MemberSkillFactory, ProxyFactory

PHONE = "+8613900000001"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture(autouse=True)
def _only_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what other apps registered: this is about people."""
    monkeypatch.setattr(registries, "me_parts", {})
    monkeypatch.setattr(registries, "export_parts", {})
    monkeypatch.setattr(registries, "erasers", [])


@pytest.fixture
def member() -> Member:
    community = CommunityFactory(name="河东社区")
    return MemberFactory(
        phone=PHONE, display_name="王秀英", community=community, born_on=date(1944, 5, 1),
        home=BuildingFactory(community=community, address="文化路9号"),
    )  # fmt: skip


def token_of(member: Member) -> str:
    with unit_of_work() as work:
        return services.issue_token(member=member, label="test", now=work.now)


@pytest.fixture
def signed(api: APIClient, member: Member) -> APIClient:
    api.credentials(HTTP_AUTHORIZATION=f"Token {token_of(member)}")
    return api


def test_me_is_as_the_contract_says(signed: APIClient, member: Member) -> None:
    role = grant(member, "captain", community=member.community)
    grant(member, "reviewer", community=member.community, ends_on=date(2026, 5, 31))
    registries.add_me_part("account", lambda who: {"id": 9, "balance": "1.50", "of": who.pk})
    assert signed.get("/api/v1/me").json() == {
        "id": member.pk,
        "name": "王秀英",
        "phone": PHONE,
        "language": "zh-hans",
        "large_text": False,
        "community": {"id": member.community_id, "name": "河东社区"},
        "roles": [
            {
                "id": role.pk, "kind": "captain", "community": member.community_id, "cell": None,
                "organisation": None, "building": None, "scope": "河东社区",
                "starts_on": "2020-01-01", "ends_on": None,
            }
        ],
        "cells": [],
        "account": {"id": 9, "balance": "1.50", "of": member.pk},
    }  # fmt: skip


def test_me_of_an_elder_without_phone_or_community(api: APIClient) -> None:
    api.force_authenticate(MemberFactory(phone=None))
    body = api.get("/api/v1/me").json()
    assert (body["phone"], body["community"], body["roles"]) == (None, None, [])


def test_me_costs_the_same_with_more_roles(
    member: Member, api: APIClient, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    costs = []
    for wanted in (1, 3):
        while member.roles.count() < wanted:
            grant(member, "captain", community=CommunityFactory())
        api.force_authenticate(Member.objects.get(pk=member.pk))
        with CaptureQueriesContext(connection) as queries:
            assert len(api.get("/api/v1/me").json()["roles"]) == wanted
        costs.append(len(queries))
    assert costs[0] == costs[1]


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/me/export"])
@pytest.mark.parametrize("header", ["", "Token", "Token x", "Token x y", "Bearer x", "Token \xff"])
def test_without_a_good_token_there_is_nothing(api: APIClient, path: str, header: str) -> None:
    api.credentials(HTTP_AUTHORIZATION=header)
    answer = api.get(path)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Token"


def test_the_export_holds_the_own_data_and_nobody_elses(signed: APIClient, member: Member) -> None:
    daughter = MemberFactory(display_name="李小花", phone="+8613900000077")
    ProxyFactory(member=member, proxy=daughter)
    ProxyFactory(member=daughter, proxy=member)
    held = MemberSkillFactory(member=member)
    ConsentFactory(member=member)
    MemberSkillFactory(member=daughter)
    ConsentFactory(member=daughter, purpose="someone-elses")
    grant(daughter, "captain", community=CommunityFactory(name="别处社区"))
    registries.add_export_part("ledger", lambda who: {"transfers": [who.pk]})
    answer = signed.get("/api/v1/me/export")
    assert answer["Content-Disposition"] == f'attachment; filename="linli-{member.pk}.json"'
    body = answer.json()
    text = json.dumps(body, ensure_ascii=False)
    people = body["people"]
    assert people["member"]["name"] == "王秀英"
    assert people["member"]["home"] == "文化路9号"
    assert people["member"]["born_on"] == "1944-05-01"
    assert [skill["code"] for skill in people["skills"]] == [held.skill.code]
    assert [consent["purpose"] for consent in people["consents"]] == ["position"]
    assert [row["proxy"] for row in people["proxies"]] == [daughter.pk]
    assert [row["member"] for row in people["acts_for"]] == [daughter.pk]
    assert [row["label"] for row in people["tokens"]] == ["test"]
    assert body["ledger"] == {"transfers": [member.pk]}
    for foreign in ("李小花", "+8613900000077", "someone-elses", "别处社区"):
        assert foreign not in text
    assert ApiToken.objects.get().digest not in text


def test_erasure_takes_the_person_and_leaves_the_rest(
    signed: APIClient, member: Member, outbox: Any
) -> None:
    order: list[tuple[str, Any]] = []
    registries.add_eraser(lambda who, now: order.append((who.display_name, now)))
    daughter = MemberFactory()
    ProxyFactory(member=member, proxy=daughter)
    past = ProxyFactory(member=daughter, proxy=member, ends_on=date(2021, 1, 1))
    MemberSkillFactory(member=member)
    ConsentFactory(member=member)
    role = grant(member, "captain", community=member.community)
    other_role = grant(daughter, "captain", community=member.community)
    IdempotencyKey.objects.create(
        scope=f"member:{member.pk}", key="k", fingerprint="", body={"name": "王秀英"},
        created_at=NOW,
    )  # fmt: skip
    page = Client()
    page.force_login(member)
    with unit_of_work() as work:
        services.request_code(phone=PHONE, address="x", now=work.now)

    answer = signed.delete("/api/v1/me")
    assert (answer.status_code, answer.content) == (204, b"")

    gone = Member.objects.get(pk=member.pk)
    assert order == [("王秀英", NOW)]  # the apps above erase while the name is still there
    assert "王秀英" not in gone.display_name
    assert str(member.pk) in gone.display_name
    assert (gone.phone, gone.home, gone.household, gone.born_on) == (None, None, None, None)
    assert (gone.is_active, gone.erased_at) == (False, NOW)
    assert gone.community_id == member.community_id
    assert not ApiToken.objects.exists()
    assert not LoginCode.objects.exists()
    assert not Consent.objects.exists()
    assert not MemberSkill.objects.exists()
    assert not IdempotencyKey.objects.exists()
    role.refresh_from_db()
    other_role.refresh_from_db()
    past.refresh_from_db()
    assert (role.ends_on, other_role.ends_on) == (date(2026, 5, 31), None)
    assert past.ends_on == date(2021, 1, 1)
    assert not Proxy.objects.filter(rules.holds_on(date(2026, 6, 1))).exists()
    assert Audit.objects.get(action="member.erased").actor == member
    assert "王秀英" not in json.dumps(list(Audit.objects.values("before", "after")))

    # Nothing opens any more, and the number may be used for a new account.
    assert signed.get("/api/v1/me").status_code == 401
    assert page.get("/me/").status_code == 302
    Member.objects.filter(pk=member.pk).update(is_active=True)
    assert page.get("/me/").status_code == 302  # the session's own hash is void, too
    MemberFactory(phone=PHONE)


def test_an_eraser_may_refuse_and_then_nothing_is_gone(signed: APIClient, member: Member) -> None:
    ConsentFactory(member=member)

    def refuse(_member: Member, _now: Any) -> None:
        raise DomainError("Cancel your booking first.", code="still_booked")

    registries.add_eraser(refuse)
    answer = signed.delete("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (409, "still_booked")
    assert signed.get("/api/v1/me").json()["name"] == "王秀英"
    assert Consent.objects.exists()


def test_who_may_erase_whom(member: Member) -> None:
    admin, far = MemberFactory(), MemberFactory()
    grant(admin, "administrator", community=member.community)
    grant(far, "administrator", community=CommunityFactory())
    for actor in (far, MemberFactory()):
        with pytest.raises(NotAllowed), unit_of_work(actor) as work:
            services.erase_member(member=member, actor=actor, now=work.now)
    with unit_of_work(admin) as work:
        services.erase_member(member=member, actor=admin, now=work.now)
    with pytest.raises(NotFound), unit_of_work(admin) as work:
        services.erase_member(member=member, actor=admin, now=work.now)


def test_an_erased_member_changes_nothing_more(member: Member) -> None:
    with unit_of_work(member) as work:
        services.erase_member(member=member, actor=member, now=work.now)
    with pytest.raises(NotFound), unit_of_work(member) as work:
        services.update_profile(actor=member, now=work.now, display_name="王")
    with pytest.raises(NotFound), unit_of_work() as work:
        services.issue_token(member=Member.objects.get(pk=member.pk), label="", now=work.now)


@pytest.mark.parametrize(
    "change", [{"display_name": " "}, {"display_name": "a\x07"}, {"language": "fr"}]
)
def test_bad_profiles_are_refused(member: Member, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput), unit_of_work(member) as work:
        services.update_profile(actor=member, now=work.now, **change)


def test_the_hourly_cleaning_keeps_what_the_limits_count(member: Member) -> None:
    client = Client()
    client.force_login(member)
    ages = {"kept": timedelta(hours=23), "old": timedelta(hours=26)}
    for name, age in ages.items():
        LoginCode.objects.create(
            phone_digest=name, digest="", address_digest="", created_at=NOW - age, expires_at=NOW
        )
    for name, revoked in {"live": None, "fresh": 89, "stale": 91}.items():
        ApiToken.objects.create(
            member=member, digest=name, created_at=NOW,
            revoked_at=revoked and NOW - timedelta(days=revoked),
        )  # fmt: skip
    jobs.registered["people.forget_old_sign_ins"].run(NOW)
    assert list(LoginCode.objects.values_list("phone_digest", flat=True)) == ["kept"]
    assert set(ApiToken.objects.values_list("digest", flat=True)) == {"live", "fresh"}
    assert client.get("/me/").status_code == 200
    forget_old_sign_ins(NOW + timedelta(days=61))
    assert client.get("/me/").status_code == 302


def test_issue_token_prints_only_the_token(member: Member, api: APIClient) -> None:
    out = io.StringIO()
    call_command("issue_token", "139 0000 0001", stdout=out)
    token = out.getvalue().removesuffix("\n")
    assert token == token.strip()
    api.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert api.get("/api/v1/me").json()["id"] == member.pk


@pytest.mark.parametrize(
    ("phone", "says"), [("12", "no phone number"), ("+8613900000099", "no active member")]
)
def test_issue_token_says_what_is_wrong(member: Member, phone: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("issue_token", phone)
