"""Stored answers and finished tasks go after a month; production is told what it lacks."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core import checks
from django_tasks_db.models import DBTaskResult

from common import jobs
from common.models import IdempotencyKey
from config import cleanup
from config.checks import log_what_is_missing
from tests.config import tasks
from tests.factories import NOW


def _key(name: str, days: int) -> None:
    IdempotencyKey.objects.create(
        scope="member:1", key=name, fingerprint="f", created_at=NOW - timedelta(days=days)
    )


@pytest.mark.django_db
def test_old_answers_and_finished_tasks_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "_A_TIME", 2)
    for n in range(5):
        _key(f"old-{n}", 31)
    _key("new", 29)
    for days in (31, 29, None):
        tasks.note.enqueue(1)
        done = NOW - timedelta(days=days) if days else None
        newest = DBTaskResult.objects.order_by("-enqueued_at").values("pk")[:1]
        DBTaskResult.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(
            finished_at=done
        )
    jobs.registered["config.forget_old_answers"].run(NOW)
    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]
    kept = set(DBTaskResult.objects.values_list("finished_at", flat=True))
    assert kept == {None, NOW - timedelta(days=29)}, "what has not ended stays"


def test_production_is_told_what_it_lacks(
    settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SMS_BACKEND, settings.SITE_URL = "console", "http://127.0.0.1:8000"
    settings.PRODUCTION = False
    assert not _ids()
    settings.PRODUCTION = True
    assert _ids() == {"linli.W001", "linli.W002"}
    assert not _ids(deploy=False), "said where it helps, not by every command"
    log_what_is_missing()
    assert [text.split(":")[0] for text in caplog.messages] == ["linli.W001", "linli.W002"]
    settings.SMS_BACKEND, settings.SITE_URL = "http", "https://linli.example"
    assert not _ids()


def _ids(*, deploy: bool = True) -> set[str]:
    found = checks.run_checks(include_deployment_checks=deploy)
    return {one.id for one in found if (one.id or "").startswith("linli.W00")}
