"""What may be subscribed to: apps register their topic kinds at start; realtime knows no domain.

A topic is "<kind>:<id>". In `AppConfig.ready` an app says who may subscribe:

    registry.register("cell", may_subscribe=rules.may_watch_cell)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

MaySubscribe = Callable[[Any, int], bool]
CONTROL_TOPIC = "control:0"
_TOPIC = re.compile(r"([a-z]{1,20}):([1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Kind:
    """One kind of topic; `may_subscribe(member, id)` is sync and may read the database."""

    prefix: str
    may_subscribe: MaySubscribe


kinds: dict[str, Kind] = {}


def register(prefix: str, *, may_subscribe: MaySubscribe) -> None:
    """Let sockets subscribe to `<prefix>:<id>` where `may_subscribe(member, id)` is true.

    The member is read afresh for every question, so that cached roles never outlive a change.
    It answers False for ids that don't exist.
    """
    kinds[prefix] = Kind(prefix=prefix, may_subscribe=may_subscribe)


def parse(topic: object) -> tuple[Kind, int] | None:
    """Split a topic name into its kind and id; None when no app has registered such a topic."""
    match = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    kind = kinds.get(match[1]) if match else None
    return (kind, int(match[2])) if match and kind else None


def recheck(member_id: int) -> None:
    """Ask every socket of this member again, in every process, what it may still watch.

    Call it in the unit of work that changes roles, signs out, revokes a token or erases the
    member. It takes effect with the commit: what is no longer allowed is unsubscribed with
    `not_allowed`; a socket whose session or token no longer counts is closed with 4401.
    """
    # Imported here: this module is loaded before the models are.
    from realtime import events

    @dataclass(frozen=True, kw_only=True)
    class RolesChanged(events.DomainEvent):
        type: ClassVar[str] = "member.recheck"
        member: int

    events.record(RolesChanged(member=member_id), topics=[CONTROL_TOPIC])


register("member", may_subscribe=lambda member, member_id: bool(member.pk == member_id))
