"""Signing in by page: two steps, a fresh session, only home addresses; and the own page."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from common.unit_of_work import unit_of_work
from grids.people import registries, services
from grids.people.demo_links import demo_sign_in_link
from grids.people.models import Consent, LoginCode, Member, Proxy
from grids.people.sms import Message
from tests.factories import NOW, CommunityFactory, MemberFactory, grant
from tests.people.factories import ProxyFactory

PHONE = "+8613900000001"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
Enter = Callable[..., Any]


@pytest.fixture
def member(db: None) -> Member:
    return MemberFactory(phone=PHONE, language="en", community=CommunityFactory())


@pytest.fixture
def enter(
    client: Client, outbox: list[Message], django_capture_on_commit_callbacks: Any
) -> Callable[..., Any]:
    """Go through both steps and return the last answer."""

    def do(next_page: str = "", phone: str = "139-0000-0001") -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            first = client.post("/sign-in/", {"phone": phone, "next": next_page})
        assert first.status_code == 302
        digits = re.search(r"\d{6}", outbox[-1].text)
        assert digits
        return client.post(first["Location"], {"code": f"{digits[0][:3]} {digits[0][3:]}"})

    return do


def test_two_steps_to_a_session(member: Member, client: Client, enter: Enter) -> None:
    assert client.get("/sign-in/").status_code == 200
    answer = enter()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(member.pk)
    assert "sign_in_phone" not in client.session
    assert client.get("/sign-in/")["Location"] == "/"


def test_the_session_key_changes_at_sign_in(member: Member, client: Client, enter: Enter) -> None:
    session = client.session
    session["planted"] = "1"
    session.save()
    client.cookies["sessionid"] = planted = session.session_key
    enter()
    assert client.cookies["sessionid"].value != planted
    stranger = Client()
    stranger.cookies["sessionid"] = planted
    assert stranger.get("/me/").status_code == 302


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ("/me/", "/me/"),
        ("/me/?a=1&b=2", "/me/?a=1&b=2"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_next_leads_home_only(member: Member, enter: Enter, asked: str, reached: str) -> None:
    assert enter(asked)["Location"] == reached


def test_an_unknown_phone_sees_the_same_pages(
    member: Member, client: Client, outbox: list[Message]
) -> None:
    seen = []
    for phone in (PHONE, "+8613900000002"):
        answer = client.post("/sign-in/", {"phone": phone})
        page = client.get(answer["Location"]).content.decode()
        page = re.sub(r'value="[A-Za-z0-9]{64}"|"X-CSRFToken": "\w+"|content="\w{64}"', "", page)
        seen.append((answer.status_code, answer["Location"], page.replace(phone, "")))
    assert seen[0] == seen[1]


def test_a_bad_number_says_what_to_do(client: Client) -> None:
    answer = client.post("/sign-in/", {"phone": "12"}, headers={"accept-language": "en"})
    assert answer.status_code == 400
    assert "check the digits" in answer.content.decode()
    assert not LoginCode.objects.exists()


def test_a_wrong_code_costs_a_try_and_a_malformed_one_does_not(
    member: Member, client: Client, outbox: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _limit: 123456)
    client.post("/sign-in/", {"phone": PHONE})
    assert client.post("/sign-in/code/", {"code": "12x"}).status_code == 400
    assert LoginCode.objects.get().tries_left == 5
    assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 400
    assert LoginCode.objects.get().tries_left == 4
    assert client.post("/sign-in/code/", {"code": "123456"}).status_code == 302


def test_the_second_step_needs_the_first(client: Client) -> None:
    assert client.get("/sign-in/code/?next=/me/")["Location"] == "/sign-in/?next=%2Fme%2F"


def test_a_new_code_is_offered_with_the_time_to_wait(
    client: Client, outbox: list[Message], clock: Any
) -> None:
    client.post("/sign-in/", {"phone": PHONE})
    clock.shift(15)
    page = client.get("/sign-in/code/").content.decode()
    assert ">0:45</span>" in page


def test_sending_again_stays_on_the_page_of_the_code(
    member: Member, client: Client, outbox: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _limit: 123456)
    client.post("/sign-in/", {"phone": PHONE, "next": "/me/"})
    code = "/sign-in/code/?next=%2Fme%2F"
    for _ in range(2):
        sent = client.post(code, {"again": "yes", "next": "/me/"}, follow=True)
        assert sent.redirect_chain == [(code, 302)]
        assert "Only the newest one works." in sent.text
    full = client.post(code, {"again": "yes"}, headers={"accept-language": "en"})
    assert (full.status_code, full["Retry-After"]) == (429, "600")
    assert "in 10 minutes" in full.text
    assert 'name="code"' in full.text, "the code that came already can still be written"
    assert LoginCode.objects.count() == 3
    assert client.post(code, {"code": "123456", "next": "/me/"})["Location"] == "/me/"


def test_going_back_finds_the_number_and_a_lost_session_is_told(client: Client) -> None:
    client.post("/sign-in/", {"phone": PHONE})
    assert f'value="{PHONE}"' in client.get("/sign-in/").text
    client.cookies.clear()
    lost = client.post(
        "/sign-in/code/", {"code": "123456"}, follow=True, headers={"accept-language": "en"}
    )
    assert lost.redirect_chain == [("/sign-in/", 302)]
    assert "write your number once more" in lost.text


def test_an_expired_form_leads_back_and_to_the_sign_in(member: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    came = {"referer": "http://testserver/me/?a=1", "accept-language": "en"}
    page = client.post("/me/consents/sms/", headers=came)
    assert page.status_code == 403
    assert 'href="/me/?a=1"' in page.text
    assert 'href="/sign-in/?next=%2Fme%2F%3Fa%3D1"' in page.text
    # Another site's page is not where anybody is sent to.
    page = client.post("/me/consents/sms/", headers={"referer": "https://evil.example/x"})
    assert "evil.example" not in page.text
    client.force_login(member)
    page = client.post("/me/consents/sms/", headers=came)
    assert 'href="/me/?a=1"' in page.text
    assert 'href="/sign-in/' not in page.text
    anonymous = Client(enforce_csrf_checks=True)
    page = anonymous.post("/sign-in/", headers={"referer": "http://testserver/sign-in/?next=/me/"})
    assert 'href="/sign-in/?next=/me/"' in page.text
    assert "next=%2Fsign-in" not in page.text


def test_the_page_says_how_long_to_wait(client: Client, outbox: list[Message]) -> None:
    for _ in range(3):
        client.post("/sign-in/", {"phone": PHONE})
    answer = client.post("/sign-in/", {"phone": PHONE}, headers={"accept-language": "en"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert "in 10 minutes" in answer.content.decode()


def test_sign_in_forms_are_guarded_against_forgery(member: Member) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/sign-in/", {"phone": PHONE}).status_code == 403


def test_signing_out_is_a_post(member: Member, client: Client) -> None:
    client.force_login(member)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/me/").status_code == 302


def test_a_demo_link_signs_in_for_a_day(member: Member, client: Client, clock: Any) -> None:
    path = demo_sign_in_link(member)
    assert path.startswith("/sign-in/link/")
    assert client.get(path).status_code == 302
    assert client.session["_auth_user_id"] == str(member.pk)
    clock.move_to(NOW + timedelta(hours=24, seconds=5))
    assert Client().get(path).status_code == 404


def test_a_demo_link_is_nothing_in_production(
    member: Member, client: Client, settings: Any
) -> None:
    path = demo_sign_in_link(member)
    settings.LINLI_ENV = "production"
    assert client.get(path).status_code == 404
    assert "_auth_user_id" not in client.session


def test_a_demo_link_is_bound_to_its_member(member: Member, client: Client) -> None:
    path = demo_sign_in_link(member)
    assert client.get(path[:-3] + "xx/").status_code == 404
    Member.objects.filter(pk=member.pk).update(phone="+8613900000009")
    assert client.get(path).status_code == 404
    Member.objects.filter(pk=member.pk).update(phone=PHONE, is_active=False)
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["me", "my-data", "delete-me"])
def test_own_pages_need_a_session(client: Client, name: str) -> None:
    path = reverse(f"people:{name}")
    assert client.get(path)["Location"] == f"/sign-in/?next={path}"


def test_the_profile_is_saved_and_spoken(member: Member, client: Client) -> None:
    client.force_login(member)
    assert 'lang="en"' in client.get("/me/").content.decode()
    answer = client.post(
        "/me/", {"display_name": " 王 秀英 ", "language": "zh-hans", "large_text": "on"}
    )
    assert answer.status_code == 302
    member.refresh_from_db()
    assert (member.display_name, member.language, member.large_text) == ("王 秀英", "zh-hans", True)
    page = client.get("/me/").content.decode()
    assert '<html lang="zh-hans" data-text="large">' in page
    client.post("/me/", {"display_name": "王", "language": "en"})
    assert 'data-text="large"' not in client.get("/me/").content.decode()


@pytest.mark.parametrize(
    "body",
    [
        {"display_name": "", "language": "en"},
        {"display_name": "x", "language": "tlh"},
        {"display_name": "x" * 81, "language": "en"},
        {"display_name": "a\x00b", "language": "en"},
    ],
)
def test_a_bad_profile_is_refused(member: Member, client: Client, body: Any) -> None:
    client.force_login(member)
    assert client.post("/me/", body).status_code == 400
    assert Member.objects.get().display_name == member.display_name


def test_the_member_language_counts_unless_a_cookie_says_more(
    member: Member, client: Client
) -> None:
    client.force_login(member)
    assert 'lang="en"' in client.get("/me/").content.decode()
    client.cookies["django_language"] = "zh-hans"
    assert 'lang="zh-hans"' in client.get("/me/").content.decode()


def test_roles_and_proxies_are_shown(member: Member, client: Client) -> None:
    grant(member, "captain", community=member.community)
    daughter = MemberFactory(display_name="李小花")
    held = ProxyFactory(member=member, proxy=daughter)
    other = ProxyFactory()
    client.force_login(member)
    page = client.get("/me/").content.decode()
    assert "Grid captain" in page
    assert "李小花" in page
    assert client.post(f"/me/proxies/{other.pk}/end/").status_code == 404
    client.post(f"/me/proxies/{held.pk}/end/")
    assert "李小花" not in client.get("/me/").content.decode()
    assert Proxy.objects.get(pk=other.pk).ends_on is None


def test_consent_is_given_and_taken_back(
    member: Member, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "purposes", {})
    registries.add_purpose("position", title="Position", text="During a patrol.", version="1")
    client.force_login(member)
    client.post("/me/consents/position/", {"agree": "yes"})
    client.post("/me/consents/position/", {"agree": "yes"})
    assert Consent.objects.get().withdrawn_at is None
    # New words ask anew, and the old consent ends when the new one is given.
    registries.add_purpose("position", title="Position", text="Other words.", version="2")
    assert "You have not agreed" in client.get("/me/").content.decode()
    client.post("/me/consents/position/", {"agree": "yes"})
    assert list(Consent.objects.order_by("pk").values_list("text_version", "withdrawn_at")) == [
        ("1", NOW),
        ("2", None),
    ]
    client.post("/me/consents/position/", {"agree": "no"})
    assert not Consent.objects.filter(withdrawn_at=None).exists()
    answer = client.post("/me/consents/position/", {"agree": "no"}, follow=True)
    assert "You have not agreed to this." in answer.content.decode()
    assert client.post("/me/consents/else/", {"agree": "yes"}).status_code == 404


def test_data_comes_as_a_file(member: Member, client: Client) -> None:
    client.force_login(member)
    answer = client.get("/me/data/")
    assert "attachment" in answer["Content-Disposition"]
    assert json.loads(answer.content)["people"]["member"]["phone"] == PHONE


def test_deleting_asks_once_more(member: Member, client: Client) -> None:
    client.force_login(member)
    assert client.get("/me/delete/").status_code == 200
    assert client.post("/me/delete/", {}).status_code == 400
    assert Member.objects.get().erased_at is None
    answer = client.post("/me/delete/", {"sure": "on"}, follow=True)
    assert answer.redirect_chain == [("/sign-in/", 302)]
    assert Member.objects.get().erased_at == NOW
    assert "_auth_user_id" not in client.session


def test_what_must_be_settled_first_is_said(
    member: Member, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.errors import DomainError

    def refuse(_member: Member, _now: Any) -> None:
        raise DomainError("Cancel your booking first.", code="still_booked")

    monkeypatch.setattr(registries, "erasers", [refuse])
    client.force_login(member)
    answer = client.post("/me/delete/", {"sure": "on"})
    assert answer.status_code == 409
    assert "Cancel your booking first." in answer.content.decode()
    assert Member.objects.get().phone == PHONE


def test_the_admin_uses_the_one_sign_in(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1] == ("/sign-in/?next=%2Fadmin%2F", 302)
    # Signed in without the right: said plainly, no circle of redirects.
    client.force_login(MemberFactory(display_name="王秀英", language="en"))
    with caplog.at_level("INFO"):
        refused = client.get("/admin/", follow=True)
    assert refused.status_code == 403
    assert "You are signed in as 王秀英" in refused.text
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


def test_the_admin_grants_and_ends_roles_by_the_services(client: Client) -> None:
    chief = MemberFactory(is_staff=True, is_superuser=True)
    member = MemberFactory(community=CommunityFactory())
    client.force_login(chief)
    for name in ("member", "role", "proxy", "organisation", "household", "skill", "memberskill",
                 "consent", "apitoken", "logincode"):  # fmt: skip
        assert client.get(f"/admin/people/{name}/").status_code == 200
    body = {
        "member": member.pk, "kind": "captain", "community": member.community_id,
        "starts_on": "2026-06-01",
    }  # fmt: skip
    assert client.post("/admin/people/role/add/", body).status_code == 302
    assert client.post("/admin/people/role/add/", body).status_code == 409
    assert client.post("/admin/people/role/add/", {**body, "community": ""}).status_code == 200
    role = member.roles.get()
    client.post("/admin/people/role/", {"action": "end_roles", "_selected_action": [role.pk]})
    role.refresh_from_db()
    assert role.ends_on is not None


def test_the_admin_keeps_no_personal_text_in_the_audit_trail(client: Client) -> None:
    from common.models import Audit

    client.force_login(MemberFactory(is_staff=True, is_superuser=True))
    answer = client.post(
        "/admin/people/member/add/",
        {"display_name": "赵大爷", "phone": "+8613911112222", "language": "zh-hans",
         "holder_class": "resident", "is_active": "on"},
    )  # fmt: skip
    assert answer.status_code == 302
    added = Member.objects.get(display_name="赵大爷")
    assert not added.has_usable_password()
    row = Audit.objects.get(action="admin.add")
    assert "赵大爷" not in json.dumps(row.after, ensure_ascii=False)
    assert "13911112222" not in json.dumps(row.after)


def test_language_is_a_service_too(member: Member) -> None:
    with unit_of_work(member) as work:
        services.set_language(actor=member, language="zh-hans", now=work.now)
    assert Member.objects.get().language == "zh-hans"
