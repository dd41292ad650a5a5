"""Open shifts as a volunteer looks for them: near home first, day by day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from grids.people.models import Member
from grids.places.queries import neighbouring_cells, subtree
from patrols.shifts.models import Seat, Shift
from patrols.shifts.queries import shifts_visible_to
from patrols.shifts.rules import claims_close_at

AHEAD_DAYS = 14
_MOST_READ = 400


class Near(IntEnum):
    """How far a shift is from the member's home."""

    HOME_CELL = 0
    NEXT_DOOR = 1
    COMMUNITY = 2
    DISTRICT = 3


@dataclass(frozen=True)
class OpenShift:
    """A shift that can be claimed, or is held by the member (`mine`)."""

    shift: Shift
    near: Near
    mine: bool


def open_shifts_near(
    member: Member, now: datetime, *, everywhere: bool = False, most: int = 60
) -> list[OpenShift]:
    """Return the coming two weeks' open shifts by date, within a date the nearest first.

    Without `everywhere` only the member's own community. Constant number of queries.
    """
    shifts = shifts_visible_to(member).filter(
        state=Shift.State.SCHEDULED,
        open_seats__gt=0,
        ends_at__gt=now,
        starts_at__lt=now + timedelta(days=AHEAD_DAYS),
    )
    if not everywhere and member.community is not None:
        shifts = shifts.filter(community__path__startswith=member.community.path)
    home = member.home.cell_id if member.home else None
    near: set[int] = set()
    if home is not None and member.community is not None:
        near = neighbouring_cells(subtree(member.community)).get(home, set())
    rows = list(shifts.select_related("community", "cell").order_by("starts_at", "pk")[:_MOST_READ])
    mine = set(
        Seat.objects.filter(member=member, shift__in=[row.pk for row in rows]).values_list(
            "shift_id", flat=True
        )
    )
    found = [
        OpenShift(shift, _near(shift, member, home, near), shift.pk in mine)
        for shift in rows
        if now <= claims_close_at(shift)
    ]
    found.sort(key=lambda one: (one.shift.local_date, one.near, one.shift.starts_at, one.shift.pk))
    return found[:most]


def _near(shift: Shift, member: Member, home: int | None, near: set[int]) -> Near:
    if shift.cell_id is not None and shift.cell_id == home:
        return Near.HOME_CELL
    if shift.cell_id in near:
        return Near.NEXT_DOOR
    return Near.COMMUNITY if shift.community_id == member.community_id else Near.DISTRICT
