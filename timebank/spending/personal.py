"""What spending adds to a person's export and erasure."""

from datetime import datetime
from typing import Any

from common.money import credits_text
from grids.people.models import Member
from timebank.spending.models import Booking, PayCode


def export_part(member: Member) -> list[dict[str, Any]]:
    """Return the member's bookings."""
    bookings = Booking.objects.filter(member=member).select_related("offer", "slot").order_by("pk")
    return [
        {
            "id": booking.pk,
            "offer": booking.offer.title,
            "starts_at": booking.slot.starts_at.isoformat() if booking.slot else None,
            "quantity": booking.quantity,
            "price": credits_text(booking.price),
            "state": booking.state,
            "booked_at": booking.booked_at.isoformat(),
        }
        for booking in bookings
    ]


def erase(member: Member, now: datetime) -> None:
    """Delete pay codes; bookings stay in the books without a name."""
    PayCode.objects.filter(member=member).delete()
