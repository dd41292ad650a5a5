"""What the apps above add to a person's page, export and erasure, filled at start."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.locks import Turn
from grids.people.models import Member

MePart = Callable[[Member], Any]
Eraser = Callable[[Member, datetime], None]


@dataclass(frozen=True)
class Purpose:
    """What a member can consent to: `title` and `text` are lazy translations."""

    code: str
    title: Any
    text: Any
    version: str


purposes: dict[str, Purpose] = {}
me_parts: dict[str, MePart] = {}
export_parts: dict[str, MePart] = {}
erasers: list[Eraser] = []
_turns: dict[Eraser, Turn] = {}


def add_me_part(name: str, part: MePart) -> None:
    """Let `GET /api/v1/me` carry `name`, as `part(member)` says."""
    me_parts[name] = part


def add_export_part(name: str, part: MePart) -> None:
    """Let the personal-data export carry `name`; JSON-plain, the member's own data only."""
    export_parts[name] = part


def add_eraser(eraser: Eraser, *, locks: Turn = Turn.MEMBERS) -> None:
    """Run `eraser(member, now)` inside the erasure's unit of work.

    It removes personal data; it may raise a DomainError that says what must be settled first.
    `locks` is the first it locks: erasers run in the written order, not in that of the apps.
    """
    erasers.append(eraser)
    _turns[eraser] = locks
    erasers.sort(key=lambda known: _turns.get(known, Turn.MEMBERS))


def add_purpose(code: str, *, title: Any, text: Any, version: str) -> None:
    """Let members give and withdraw consent to `code`; a new `version` asks again."""
    purposes[code] = Purpose(code=code, title=title, text=text, version=version)
