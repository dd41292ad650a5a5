"""What the apps above add to a shift's page and to the captain's board, filled at start."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grids.people.models import Member
from grids.places.models import Community
from patrols.shifts.models import Shift


@dataclass(frozen=True)
class Panel:
    """A piece of a page: its template, which sees `data` as `panel.data`."""

    template: str
    data: Any


ShiftPanel = Callable[[Member, Shift, datetime], Panel | None]
BoardPanel = Callable[[Member, Community, datetime], Panel | None]
_on_shift: list[ShiftPanel] = []
_on_board: list[BoardPanel] = []


def add_to_shift(panel: ShiftPanel) -> None:
    """Let `panel(member, shift, now)` stand on the shift's page; None where it has nothing."""
    _on_shift.append(panel)


def add_to_board(panel: BoardPanel) -> None:
    """Let `panel(member, community, now)` stand on top of the board; None where nothing."""
    _on_board.append(panel)


def of_shift(member: Member, shift: Shift, now: datetime) -> list[Panel]:
    """Return what stands on this shift's page for this member."""
    found = (panel(member, shift, now) for panel in _on_shift)
    return [panel for panel in found if panel is not None]


def of_board(member: Member, community: Community, now: datetime) -> list[Panel]:
    """Return what stands on this community's board for this member."""
    found = (panel(member, community, now) for panel in _on_board)
    return [panel for panel in found if panel is not None]
