"""Reading the catalogue and the bookings."""

from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet

from grids.people.models import Member
from grids.people.rules import holds_on, today
from timebank.spending.models import Booking, Charge, Offer, Slot
from timebank.spending.rules import partners_of_staff


def offers_visible_to(member: Member) -> QuerySet[Offer]:
    """Return the offers of the member's community, and those of partners they serve at."""
    mine = Q(partner__community_id=member.community_id, active=True, partner__active=True)
    served = Q(partner__in=partners_of_staff(member))
    return Offer.objects.filter(mine | served).select_related(
        "partner__organisation", "partner__community"
    )


def with_coming_slots(offers: QuerySet[Offer], now: datetime) -> QuerySet[Offer]:
    """Load the servings that are not over, as `coming`."""
    slots = Slot.objects.filter(ends_at__gt=now).order_by("starts_at")
    return offers.prefetch_related(Prefetch("slots", queryset=slots, to_attr="coming"))


def bookings_visible_to(member: Member) -> QuerySet[Booking]:
    """Return bookings for the member, made by them, or of somebody they act for today."""
    acting = Q(member__proxies__in=member.acts_for.filter(holds_on(today())))
    return Booking.objects.filter(
        pk__in=Booking.objects.filter(Q(member=member) | Q(booked_by=member) | acting).values("pk")
    ).select_related("offer__partner__organisation", "offer__partner__community", "slot", "member")


def bookings_at_counter(member: Member) -> QuerySet[Booking]:
    """Return the bookings at partners where the member serves."""
    return Booking.objects.filter(offer__partner__in=partners_of_staff(member)).select_related(
        "offer__partner__organisation", "slot", "member"
    )


def due_to_lapse(now: datetime) -> QuerySet[Booking]:
    """Return bookings whose day ended before `now`."""
    return Booking.objects.filter(state=Booking.State.BOOKED, expires_at__lte=now)


def last_charge(member: Member, since: datetime) -> Charge | None:
    """Return the last walk-in payment of the member that was taken at `since` or later."""
    taken = Charge.objects.filter(member=member, at__gte=since)
    return taken.select_related("partner__organisation").order_by("-at", "-pk").first()
