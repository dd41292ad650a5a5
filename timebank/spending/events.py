"""What bookings tell the member and the partner. No code: whoever holds it may redeem."""

from dataclasses import dataclass
from typing import ClassVar

from realtime.events import DomainEvent, record
from timebank.spending.models import Booking


@dataclass(frozen=True, kw_only=True)
class BookingEvent(DomainEvent):
    """A booking changed; `left` are the seats left in its slot, None where it has none."""

    booking: int
    offer: int
    slot: int | None
    quantity: int
    state: str
    left: int | None


@dataclass(frozen=True, kw_only=True)
class BookingMade(BookingEvent):
    """A place was booked."""

    type: ClassVar[str] = "booking.made"


@dataclass(frozen=True, kw_only=True)
class BookingCancelled(BookingEvent):
    """A booking was cancelled, or nobody came (`state` is then "lapsed")."""

    type: ClassVar[str] = "booking.cancelled"


@dataclass(frozen=True, kw_only=True)
class BookingRedeemed(BookingEvent):
    """A booking was redeemed at the counter."""

    type: ClassVar[str] = "booking.redeemed"


def tell(kind: type[BookingEvent], booking: Booking) -> None:
    """Record the event for the member it is for, who booked it, and the partner."""
    slot = booking.slot
    event = kind(
        booking=booking.pk,
        offer=booking.offer_id,
        slot=booking.slot_id,
        quantity=booking.quantity,
        state=str(booking.state),
        left=slot.capacity - slot.taken if slot is not None else None,
    )
    members = sorted({booking.member_id, booking.booked_by_id})
    record(
        event,
        topics=[*(f"member:{pk}" for pk in members), f"partner:{booking.offer.partner_id}"],
    )
