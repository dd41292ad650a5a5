"""What changed on the map."""

from dataclasses import dataclass
from typing import ClassVar

from realtime.events import DomainEvent


@dataclass(frozen=True, kw_only=True)
class CellsChanged(DomainEvent):
    """These cells have new borders or households in a plan, or what the plan is has changed.

    `what` is a kind of step or edit (`published`, `moved`, `undone` …); `state` tells a draft's
    change, which is for its editors, from one of the map that everybody sees.
    """

    type: ClassVar[str] = "cell.changed"
    plan: int
    cells: list[int]
    what: str
    version: int
    state: str
