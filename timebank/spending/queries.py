"""Reading the catalogue and the bookings."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet

from grids.people.models import Member
from grids.people.rules import holds_on, today
from timebank.spending.models import Booking, Charge, Offer, Slot
from timebank.spending.rules import bookable_by, partners_of_staff

# So many people are shown at once; of more, one searches.
FEW = 8
MOST_FOUND = 12


def offers_visible_to(member: Member) -> QuerySet[Offer]:
    """Return the offers of the member's community, and those of partners they serve at."""
    mine = Q(partner__community_id=member.community_id, active=True, partner__active=True)
    served = Q(partner__in=partners_of_staff(member))
    return Offer.objects.filter(mine | served).select_related(
        "partner__organisation", "partner__community"
    )


def offers_open_to(actor: Member) -> QuerySet[Offer]:
    """Return the offers that the actor can book, for themselves or for somebody else."""
    places = bookable_by(actor).exclude(community=None).order_by().values("community").distinct()
    for_others = Q(partner__community__in=places, active=True, partner__active=True)
    own = Q(pk__in=offers_visible_to(actor).values("pk"))
    return Offer.objects.filter(own | for_others).select_related(
        "partner__organisation", "partner__community"
    )


@dataclass(frozen=True)
class Guests:
    """For whom an offer may be booked: `shown` of them, and whether to search among `more`."""

    shown: list[Member]
    found: int | None
    more: bool
    myself: bool


def guests_for(
    actor: Member, offer: Offer, *, search: str = "", chosen: int | None = None
) -> Guests:
    """Return whom the actor may book this offer for.

    A few are all shown. Of many: the one chosen, those the actor is a proxy of or booked for last,
    and those whose name or address holds `search`.
    """
    others = (
        bookable_by(actor)
        .filter(community=offer.partner.community_id)
        .select_related("home")
        .order_by("display_name", "pk")
    )
    myself = offers_visible_to(actor).filter(pk=offer.pk).exists()
    first = list(others[: FEW + 1])
    if len(first) <= FEW:
        return Guests(first, None, more=False, myself=myself)
    near = [chosen] if chosen is not None else []
    acting = actor.acts_for.filter(holds_on(today())).values_list("member", flat=True)
    near += acting.order_by("pk")[:FEW]
    made = Booking.objects.filter(booked_by=actor).exclude(member=actor).order_by("-pk")
    near += made.values_list("member", flat=True)[:FEW]
    kept = list(dict.fromkeys(near))[:FEW]
    place = {pk: at for at, pk in enumerate(kept)}
    shown = sorted(others.filter(pk__in=kept), key=lambda one: place[one.pk])
    words = search.split()
    if not words:
        return Guests(shown, None, more=True, myself=myself)
    for word in words:
        others = others.filter(
            Q(display_name__icontains=word)
            | Q(home__address__icontains=word)
            | Q(home__name__icontains=word)
        )
    hits = list(others[: MOST_FOUND + 1])
    kept_chosen = [one for one in shown if one.pk == chosen and one not in hits]
    return Guests([*kept_chosen, *hits[:MOST_FOUND]], len(hits), more=True, myself=myself)


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
