"""What changed on the map."""

from dataclasses import dataclass
from typing import ClassVar

from realtime.events import DomainEvent


@dataclass(frozen=True, kw_only=True)
class CellsChanged(DomainEvent):
    """A plan was published: these cells have new borders or households."""

    type: ClassVar[str] = "cell.changed"
    plan: int
    cells: list[int]
