"""The leaf: unit of work, money, settings, and the direction of foreign keys."""

import subprocess
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction

from common.errors import KeyReused
from common.models import Audit, IdempotencyKey
from common.money import credits_text, parse_credits
from common.unit_of_work import OutsideUnitOfWork, current, perform, unit_of_work
from tests.factories import MemberFactory

# From the bottom up: an app may only point down (the user model excepted).
ORDER = [
    "common", "realtime", "places", "zoning", "people", "maps",
    "ledger", "earning", "spending", "shifts", "rosters", "checkins", "config",
]  # fmt: skip


def test_no_foreign_key_points_up() -> None:
    rank = {label: place for place, label in enumerate(ORDER)}
    wrong = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models()
        if model._meta.app_label in rank
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and field.related_model
        and field.related_model._meta.label != settings.AUTH_USER_MODEL
        and rank.get(field.related_model._meta.app_label, -1) > rank[model._meta.app_label]
    ]
    assert wrong == []


@pytest.mark.parametrize(("text", "amount"), [("1.50", 150), ("2", 200), ("0.5", 50), ("0", 0)])
def test_credits_are_read_exactly(text: str, amount: int) -> None:
    assert parse_credits(text) == amount


@pytest.mark.parametrize("text", ["1.505", "1e3", "-1", "", "NaN", "١", 1.5, None, "1,5", "٣.٥"])
def test_anything_but_plain_digits_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="two decimals"):
        parse_credits(text)


def test_credits_are_written_with_two_decimals() -> None:
    assert [credits_text(amount) for amount in (150, 5, 0, -5, -150)] == [
        "1.50", "0.05", "0.00", "-0.05", "-1.50",
    ]  # fmt: skip


def test_a_service_outside_a_unit_of_work_is_refused() -> None:
    with pytest.raises(OutsideUnitOfWork):
        current()


@pytest.mark.django_db
def test_the_same_key_answers_once() -> None:
    member = MemberFactory()
    calls = []

    def service(work: object) -> tuple[int, dict[str, int]]:
        calls.append(work)
        return 201, {"id": len(calls)}

    first = perform(service, actor=member, key="k", fingerprint="f")
    again = perform(service, actor=member, key="k", fingerprint="f")
    assert (first.replayed, again.replayed, again.body, again.status) == (
        False, True, {"id": 1}, 201,
    )  # fmt: skip
    assert len(calls) == 1
    with pytest.raises(KeyReused):
        perform(service, actor=member, key="k", fingerprint="other")
    other = perform(service, actor=MemberFactory(), key="k", fingerprint="other")
    assert other.body == {"id": 2}


@pytest.mark.django_db
def test_a_refusal_leaves_nothing_behind() -> None:
    member = MemberFactory()

    def refuse(work: object) -> tuple[int, None]:
        current().audit("try", member)
        raise KeyReused

    with pytest.raises(KeyReused):
        perform(refuse, actor=member, key="k", fingerprint="f")
    assert not IdempotencyKey.objects.exists()
    assert not Audit.objects.exists()


@pytest.mark.django_db
def test_a_write_leaves_its_audit_row() -> None:
    member = MemberFactory()
    with unit_of_work(member) as work:
        work.audit("member.greeted", member, after={"name": "x"})
    row = Audit.objects.get()
    assert (row.actor, row.action, row.subject_type, row.subject_id) == (
        member, "member.greeted", "people.member", member.pk,
    )  # fmt: skip


@pytest.mark.django_db
def test_units_of_work_do_not_nest() -> None:
    with unit_of_work(), pytest.raises(RuntimeError, match="open already"), unit_of_work():
        pass


@pytest.mark.django_db
def test_role_scope_is_held_by_the_database(town: object) -> None:
    from tests.factories import RoleFactory

    with pytest.raises(IntegrityError), transaction.atomic():
        RoleFactory()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINLI_ENV", "staging"),
        ("DATABASE_URL", "mysql://x/y"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("LINLI_DEBUG", "maybe"),
        ("LINLI_SMS_BACKEND", "pigeon"),
        ("LINLI_SMS_BACKEND", "memory"),
        ("LINLI_SITE_URL", "linli.example"),
        ("LINLI_PHONE_REGION", "China"),
        ("LINLI_LANGUAGE", "zh"),
        ("LINLI_TIME_ZONE", "Asia/Rongcheng"),
        ("LINLI_EVENT_KEEP_DAYS", "0"),
    ],
)
def test_a_wrong_setting_fails_by_name(name: str, value: str, tmp_path: object) -> None:
    import os

    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={**os.environ, name: value, "LINLI_VAR_DIR": str(tmp_path)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert name in done.stderr.splitlines()[-1] or name == "DATABASE_URL"
