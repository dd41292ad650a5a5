"""What spending does by itself: servings ahead, lapsed bookings, old pay codes."""

from datetime import datetime

from common.jobs import for_each
from common.unit_of_work import unit_of_work
from timebank.spending import queries, services
from timebank.spending.models import Offer
from timebank.spending.services.bookings import GRACE
from timebank.spending.services.charges import forget_old_codes


def make_servings(now: datetime) -> None:
    """Make the coming servings of every offer with daily seats."""
    offers = Offer.objects.filter(daily_seats__isnull=False)

    def make(pk: int) -> None:
        offer = offers.select_related("partner__community").get(pk=pk)
        services.materialise_slots(offer=offer, now=now)

    for_each("make servings", offers.order_by("pk").values_list("pk", flat=True), make, now=now)


def lapse_bookings(now: datetime) -> None:
    """Let go of bookings that nobody fetched, each in its own transaction."""
    due = queries.due_to_lapse(now - GRACE).values_list("pk", flat=True)
    for_each(
        "lapse bookings", due, lambda pk: services.lapse_booking(booking_id=pk, now=now), now=now
    )


def forget_pay_codes(now: datetime) -> None:
    """Delete pay codes that expired a day ago."""
    with unit_of_work(now=now):
        forget_old_codes(now)
