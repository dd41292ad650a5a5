"""What of signing in need not be kept, removed on a schedule."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.models import Session

from common import jobs
from common.unit_of_work import unit_of_work
from grids.people.limits import LONGEST
from grids.people.models import ApiToken, LoginCode, Upload

_REVOKED_KEPT = timedelta(days=90)
_UPLOADS_KEPT = timedelta(days=1)  # lists of people and what was wrong with them
_A_TIME = 5000  # rows per transaction, so that nobody waits long for the write lock


def forget_old_sign_ins(now: datetime) -> None:
    """Delete codes that no limit counts any more, tokens long revoked, sessions, files sent."""
    for rows in (
        LoginCode.objects.filter(created_at__lt=now - LONGEST - timedelta(hours=1)),
        ApiToken.objects.filter(revoked_at__lt=now - _REVOKED_KEPT),
        Session.objects.filter(expire_date__lt=now),
        Upload.objects.filter(created_at__lt=now - _UPLOADS_KEPT),
    ):
        while True:
            with unit_of_work(now=now):
                some: list[Any] = list(rows.order_by("pk").values_list("pk", flat=True)[:_A_TIME])
                rows.model._default_manager.filter(pk__in=some).delete()
            if len(some) < _A_TIME:
                break


def register() -> None:
    """Let the worker clean up every hour."""
    jobs.register("people.forget_old_sign_ins", every=timedelta(hours=1), run=forget_old_sign_ins)
