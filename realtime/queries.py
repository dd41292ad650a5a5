"""Reading the event log: heads, and what came after."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import Q

from realtime.frames import Frame, encode
from realtime.models import Event, Topic

# One chunk of names per query: SQLite takes 32,766 parameters, PostgreSQL 65,535.
_NAMES = 10_000
TOPICS = 50


class Mark(NamedTuple):
    """How far a topic's stream has come, and from where it is still kept."""

    head: int
    kept_from: int


def mark(topic: str) -> Mark:
    """Return the topic's head and the oldest seq still kept; (0, 1) where nothing happened yet."""
    row = Topic.objects.filter(name=topic).values_list("head", "kept_from").first()
    return Mark(*row) if row else Mark(0, 1)


def head(topic: str) -> int:
    """Return the topic's last sequence number; pages render it, so that sockets go on from it."""
    return mark(topic).head


def heads(names: Sequence[str]) -> dict[str, int]:
    """Return the heads of these topics, those without events left out."""
    found: dict[str, int] = {}
    for start in range(0, len(names), _NAMES):
        chunk = names[start : start + _NAMES]
        found.update(Topic.objects.filter(name__in=chunk).values_list("name", "head"))
    return found


def frames_after(positions: Mapping[str, int], *, limit: int) -> list[Frame]:
    """Return at most `limit` frames that came after each topic's position, by topic and seq.

    At most TOPICS topics at once.
    """
    if not positions:
        return []
    behind = reduce(or_, (Q(topic__name=name, seq__gt=seq) for name, seq in positions.items()))
    rows = (
        Event.objects.filter(behind)
        .order_by("topic_id", "seq")
        .values_list("topic__name", "seq", "type", "at", "data")[:limit]
    )
    return [encode(*row) for row in rows]
