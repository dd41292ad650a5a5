"""Record domain events: queued by services, written once before commit, hubs woken after.

`record` knows no domain: it takes any frozen dataclass with a `type` and JSON-plain fields.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection, transaction

from common.unit_of_work import current
from realtime import wake
from realtime.frames import encode
from realtime.models import Event, Topic

AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class DomainEvent:
    """Base of all events: past tense, JSON-plain fields, `type` as in the contract."""

    type: ClassVar[str] = ""


@dataclass(frozen=True)
class _Recorded:
    topic: str
    type: str
    data: dict[str, Any]
    at: datetime


def record(event: DomainEvent, *, topics: Iterable[str]) -> None:
    """Queue `event` for these topics; the unit of work writes it just before its commit.

    The payload goes to everybody who may subscribe to the topic: record a second event with
    fewer fields for a wider audience.
    """
    work = current()
    data = asdict(event)
    for topic in topics:
        work.queue(_write, _Recorded(topic=topic, type=event.type, data=data, at=work.now))


def _write(items: list[_Recorded]) -> None:
    """Take the sequence numbers topic by topic in name order, insert, wake after commit."""
    by_topic: dict[str, list[_Recorded]] = {}
    for item in items:
        by_topic.setdefault(item.topic, []).append(item)
    heads = _advance({name: len(by_topic[name]) for name in sorted(by_topic)})
    rows: list[tuple[str, Event]] = []
    for name in sorted(by_topic):
        topic_id, head = heads[name]
        first = head - len(by_topic[name]) + 1
        rows += [
            (
                name,
                Event(
                    topic_id=topic_id,
                    seq=first + offset,
                    type=item.type,
                    data=item.data,
                    at=item.at,
                ),
            )
            for offset, item in enumerate(by_topic[name])
        ]
    Event.objects.bulk_create(event for _, event in rows)
    frames = [encode(name, row.seq, row.type, row.at, row.data) for name, row in rows]
    transaction.on_commit(lambda: wake.frames(frames), robust=True)


def _advance(counts: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Move topics' heads forward under their row locks, in the order given.

    Returns (topic id, new head) by name. One statement for many topics: from here to the commit
    every other writer of a topic waits, so each trip to the database counts.
    """
    table = connection.ops.quote_name(Topic._meta.db_table)
    found: dict[str, tuple[int, int]] = {}
    names = list(counts)
    with connection.cursor() as cursor:
        for at in range(0, len(names), AT_ONCE):
            part = names[at : at + AT_ONCE]
            cursor.execute(
                f"INSERT INTO {table} (name, head, kept_from) "  # noqa: S608
                f"VALUES {', '.join(['(%s, %s, 1)'] * len(part))} "
                f"ON CONFLICT (name) DO UPDATE SET head = {table}.head + excluded.head "
                "RETURNING name, id, head",
                [value for name in part for value in (name, counts[name])],
            )
            found.update({name: (topic_id, head) for name, topic_id, head in cursor.fetchall()})
    return found
