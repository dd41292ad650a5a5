"""The only durable transaction: idempotency key, service, events, audit, commit.

Services call `current()` and refuse to run outside one, so they compose: a check-out approves
hours and posts credits in one commit (design: "One write, from tap to screen").
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, models, transaction
from rest_framework.utils.encoders import JSONEncoder

from common import clock
from common.errors import KeyReused
from common.models import Audit, IdempotencyKey

Flusher = Callable[[list[Any]], None]
request_id: ContextVar[str] = ContextVar("request_id", default="")


class OutsideUnitOfWork(RuntimeError):
    """A service was called without an open unit of work: a programming error."""


@dataclass(frozen=True)
class Outcome:
    """What a write answered: HTTP status, JSON body, and whether it is a replay."""

    status: int
    body: Any
    replayed: bool = False


@dataclass
class UnitOfWork:
    """One open write. `actor` is the member who acts, or None for the system itself."""

    actor: Any
    now: datetime
    _queued: dict[Flusher, list[Any]] = field(default_factory=dict)
    _audits: list[Audit] = field(default_factory=list)

    def queue(self, flusher: Flusher, item: Any) -> None:
        """Keep `item`; `flusher` gets all of its items once, just before the commit."""
        self._queued.setdefault(flusher, []).append(item)

    def audit(
        self,
        action: str,
        subject: models.Model,
        *,
        before: Any = None,
        after: Any = None,
        on_behalf_of: Any = None,
    ) -> None:
        """Note this write in the audit trail; `before` and `after` are JSON-plain."""
        self._audits.append(
            Audit(
                at=self.now,
                actor=self.actor,
                on_behalf_of=on_behalf_of,
                action=action,
                subject_type=subject._meta.label_lower,
                subject_id=subject.pk,
                before=before,
                after=after,
                request_id=request_id.get(),
            )
        )

    def flush(self) -> None:
        """Write audit rows, then let each flusher write what was queued for it."""
        if self._audits:
            Audit.objects.bulk_create(self._audits)
            self._audits = []
        while self._queued:
            flusher, items = next(iter(self._queued.items()))
            del self._queued[flusher]
            flusher(items)


# SQLite has one writer at a time, and who waits for it sleeps and looks again, up to 100 ms
# apart, so that under load some wait for seconds while the lock lies free. Within a process
# writers therefore queue here, where they are woken; other processes meet at SQLite's own lock.
_sqlite_writer = threading.Lock()
_SQLITE_WAIT_S = 30.0
_open: ContextVar[UnitOfWork | None] = ContextVar("unit_of_work", default=None)


def current() -> UnitOfWork:
    """Return the open unit of work; raise OutsideUnitOfWork where there is none."""
    work = _open.get()
    if work is None:
        raise OutsideUnitOfWork("Open common.unit_of_work.unit_of_work() around this service.")
    return work


@contextmanager
def unit_of_work(actor: Any = None, *, now: datetime | None = None) -> Iterator[UnitOfWork]:
    """Open the durable transaction; commit at the end, roll everything back on any error."""
    if _open.get() is not None:
        raise RuntimeError("A unit of work is open already: services never open one.")
    with _turn(), transaction.atomic(durable=True):
        work = UnitOfWork(actor=actor, now=now or clock.now())
        token = _open.set(work)
        try:
            yield work
            work.flush()
        finally:
            _open.reset(token)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for this process's turn to write on SQLite; PostgreSQL locks rows instead."""
    if connection.vendor != "sqlite":
        yield
        return
    if not _sqlite_writer.acquire(timeout=_SQLITE_WAIT_S):
        raise OperationalError("database is locked")
    try:
        yield
    finally:
        _sqlite_writer.release()


def perform(
    service: Callable[[UnitOfWork], tuple[int, Any]],
    *,
    actor: Any,
    key: str | None = None,
    fingerprint: str = "",
    scope: str = "",
) -> Outcome:
    """Run one write and store its answer under `key`, or replay the stored answer.

    A refusal or failure rolls the key back too, so that a retry is judged afresh.
    Raises KeyReused when the key was stored with another fingerprint.
    """
    with unit_of_work(actor) as work:
        if key is not None:
            scope = scope or f"member:{actor.pk}"
            stored = _take_key(scope=scope, key=key, fingerprint=fingerprint, now=work.now)
            if stored is not None:
                return stored
        status, body = service(work)
        if key is not None:
            # What is stored is answered too, so that a replay is equal to the last digit.
            text = json.dumps(body, cls=JSONEncoder)
            _keep_answer(scope=scope, key=key, status=status, body=text)
            body = json.loads(text)
        return Outcome(status, body)


def _take_key(*, scope: str, key: str, fingerprint: str, now: datetime) -> Outcome | None:
    """Insert the key, waiting for a twin in flight; return the twin's answer if it committed."""
    table = connection.ops.quote_name(IdempotencyKey._meta.db_table)
    with connection.cursor() as cursor:
        # ON CONFLICT waits for a concurrent insert of the same key to commit or roll back,
        # and unlike an IntegrityError it leaves the transaction usable.
        cursor.execute(
            f"INSERT INTO {table} (scope, key, fingerprint, created_at) VALUES (%s, %s, %s, %s) "  # noqa: S608
            "ON CONFLICT (scope, key) DO NOTHING RETURNING id",
            [scope, key, fingerprint, connection.ops.adapt_datetimefield_value(now)],
        )
        if cursor.fetchone() is not None:
            return None
    stored = IdempotencyKey.objects.get(scope=scope, key=key)
    if stored.fingerprint != fingerprint:
        raise KeyReused
    return Outcome(stored.status or 200, stored.body, replayed=True)


def _keep_answer(*, scope: str, key: str, status: int, body: str) -> None:
    """Store the answer beside its key; plain SQL, since it is on the path of every such write."""
    table = connection.ops.quote_name(IdempotencyKey._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET status = %s, body = %s WHERE scope = %s AND key = %s",  # noqa: S608
            [status, body, scope, key],
        )
