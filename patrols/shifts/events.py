"""What happened to shifts and seats, as sockets tell it.

`community:<id>` is public: ids and counts only. `cell:<id>` belongs to the cell's captains and
`member:<id>` to the member: there `member` names who it is about.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from patrols.shifts.models import Seat, Shift
from realtime.events import DomainEvent, record


@dataclass(frozen=True, kw_only=True)
class SeatEvent(DomainEvent):
    """A seat changed hands or state; `open_seats` is the shift's count after it."""

    shift: int
    seat: int
    index: int
    cell: int | None
    state: str
    open_seats: int
    member: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class SeatClaimed(SeatEvent):
    """A member took an open seat."""

    type: ClassVar[str] = "seat.claimed"


@dataclass(frozen=True, kw_only=True)
class SeatReleased(SeatEvent):
    """A seat is open again."""

    type: ClassVar[str] = "seat.released"


@dataclass(frozen=True, kw_only=True)
class SeatAssigned(SeatEvent):
    """A captain or a roster gave a seat to a member."""

    type: ClassVar[str] = "seat.assigned"


@dataclass(frozen=True, kw_only=True)
class SeatCheckedIn(SeatEvent):
    """The member is there."""

    type: ClassVar[str] = "seat.checked_in"


@dataclass(frozen=True, kw_only=True)
class SeatCheckedOut(SeatEvent):
    """The member has finished."""

    type: ClassVar[str] = "seat.checked_out"


@dataclass(frozen=True, kw_only=True)
class SeatNoShow(SeatEvent):
    """The member did not come."""

    type: ClassVar[str] = "seat.no_show"


@dataclass(frozen=True, kw_only=True)
class ShiftEvent(DomainEvent):
    """A shift came, changed or was called off; instants in ISO 8601."""

    shift: int
    community: int
    cell: int | None
    kind: str
    title: str
    starts_at: str
    ends_at: str
    seats: int
    open_seats: int


@dataclass(frozen=True, kw_only=True)
class ShiftCreated(ShiftEvent):
    """A new shift can be claimed."""

    type: ClassVar[str] = "shift.created"


@dataclass(frozen=True, kw_only=True)
class ShiftChanged(ShiftEvent):
    """Its time, title, place or number of seats is another now."""

    type: ClassVar[str] = "shift.changed"


@dataclass(frozen=True, kw_only=True)
class ShiftCancelled(ShiftEvent):
    """It will not take place; its seats are free."""

    type: ClassVar[str] = "shift.cancelled"


def record_seat(event: type[SeatEvent], seat: Seat, shift: Shift, *, member: Any) -> None:
    """Tell the public board without a name, and captain and member with it."""
    facts: dict[str, Any] = {
        "shift": shift.pk,
        "seat": seat.pk,
        "index": seat.index,
        "cell": shift.cell_id,
        "state": str(seat.state),
        "open_seats": shift.open_seats,
    }
    record(event(**facts), topics=[f"community:{shift.community_id}"])
    named = [f"cell:{shift.cell_id}"] if shift.cell_id else []
    if member is not None:
        named.append(f"member:{member.pk}")
        facts["member"] = {"id": member.pk, "name": member.display_name}
    if named:
        record(event(**facts), topics=named)


def record_shift(
    event: type[ShiftEvent], shift: Shift, *, members: list[int] | None = None
) -> None:
    """Tell the board, the cell's captains, and the `members` who hold its seats."""
    topics = [f"community:{shift.community_id}"]
    if shift.cell_id:
        topics.append(f"cell:{shift.cell_id}")
    topics += [f"member:{member}" for member in members or []]
    record(
        event(
            shift=shift.pk,
            community=shift.community_id,
            cell=shift.cell_id,
            kind=str(shift.kind),
            title=shift.title,
            starts_at=shift.starts_at.isoformat(),
            ends_at=shift.ends_at.isoformat(),
            seats=shift.seats_total,
            open_seats=shift.open_seats,
        ),
        topics=topics,
    )
