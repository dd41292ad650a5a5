"""What happened to chat groups and estates."""

from dataclasses import dataclass
from typing import Any, ClassVar

from realtime.events import DomainEvent


@dataclass(frozen=True, kw_only=True)
class GroupChanged(DomainEvent):
    """A chat group or estate was opened, changed or closed: no plan draws those."""

    type: ClassVar[str] = "cell.changed"
    plan: None
    cells: list[int]
    what: str


@dataclass(frozen=True, kw_only=True)
class GroupJoined(DomainEvent):
    """A member came into a group; told to its captains and the member."""

    type: ClassVar[str] = "cell.joined"
    cell: int
    member: dict[str, Any]
    size: int


@dataclass(frozen=True, kw_only=True)
class GroupLeft(DomainEvent):
    """A member left a group, or was taken out."""

    type: ClassVar[str] = "cell.left"
    cell: int
    member: dict[str, Any]
    size: int
