"""What only the whole knows to be of no more use: stored answers and finished tasks."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django_tasks_db.models import DBTaskResult

from common import jobs
from common.models import IdempotencyKey
from common.unit_of_work import unit_of_work

# An offline upload may come back late; nobody repeats a request after a month.
KEYS_KEPT = timedelta(days=30)
TASKS_KEPT = timedelta(days=30)
_A_TIME = 2000  # rows per transaction, so that nobody waits long for the write lock


def forget_old_answers(now: datetime) -> None:
    """Delete the answers kept for repeats, and tasks that ended, after a month each."""
    _delete(IdempotencyKey.objects.filter(created_at__lt=now - KEYS_KEPT), now)
    _delete(DBTaskResult.objects.filter(finished_at__lt=now - TASKS_KEPT), now)


def _delete(rows: QuerySet[Any], now: datetime) -> None:
    some = [None]
    while some:
        with unit_of_work(now=now):
            some = list(rows.order_by("pk").values_list("pk", flat=True)[:_A_TIME])
            rows.model._default_manager.filter(pk__in=some).delete()


def register() -> None:
    """Let the worker clean up every six hours."""
    jobs.register(
        "config.forget_old_answers", every=timedelta(hours=6), run=forget_old_answers, long=True
    )
