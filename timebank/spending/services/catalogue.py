"""Partners, their offers, and the servings made from them ahead of time."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F
from django.db.models.functions import Greatest

from common.errors import BadInput, NotAllowed
from common.unit_of_work import current
from grids.people.models import Member, Organisation, Role
from grids.people.rules import require_role
from timebank.ledger.models import Account
from timebank.ledger.services import ensure_account
from timebank.spending.models import Offer, Partner, Slot
from timebank.spending.rules import may_keep_catalogue

DAYS_AHEAD = 14


def create_partner(
    *, actor: Member | None, organisation: Organisation, kind: str, now: datetime
) -> Partner:
    """Let an organisation accept credits, with an account; by an administrator or the system."""
    if actor is not None:
        require_role(actor, [Role.Kind.ADMINISTRATOR], community=organisation.community)
    partner = Partner.objects.create(
        organisation=organisation, community=organisation.community, kind=kind
    )
    partner_account(partner, now)
    current().audit("partner.created", partner, after={"kind": str(kind)})
    return partner


def partner_account(partner: Partner, now: datetime) -> Account:
    """Return the partner's account, opening it where it has none."""
    return ensure_account(
        community=partner.community,
        kind=Account.Kind.PARTNER,
        organisation=partner.organisation,
        now=now,
    )


def create_offer(
    *,
    actor: Member | None,
    partner: Partner,
    kind: str,
    title: str,
    price: int,
    now: datetime,
    description: str = "",
    daily_seats: int | None = None,
    serves_from: time | None = None,
    serves_until: time | None = None,
    weekdays: str = "1234567",
) -> Offer:
    """Add an offer at `price` hundredths; with `daily_seats` its servings are made ahead.

    By the partner's staff, an administrator or storekeeper, or the system.
    """
    offer = Offer(
        partner=partner,
        kind=kind,
        title=title,
        price=price,
        description=description,
        daily_seats=daily_seats,
        serves_from=serves_from,
        serves_until=serves_until,
        weekdays=weekdays,
    )
    _require_keeper(actor, partner)
    _require_hours(offer)
    offer.save()
    materialise_slots(offer=offer, now=now)
    current().audit("offer.created", offer, after={"title": title, "price": price})
    return offer


def change_offer(*, actor: Member | None, offer: Offer, now: datetime, **changes: Any) -> Offer:
    """Change an offer; bookings keep the price they were made at."""
    _require_keeper(actor, offer.partner)
    before = {name: str(getattr(offer, name)) for name in changes}
    for name, value in changes.items():
        setattr(offer, name, value)
    _require_hours(offer)
    offer.save(update_fields=list(changes))
    materialise_slots(offer=offer, now=now)
    after = {name: str(value) for name, value in changes.items()}
    current().audit("offer.changed", offer, before=before, after=after)
    return offer


def _require_keeper(actor: Member | None, partner: Partner) -> None:
    if actor is not None and not may_keep_catalogue(actor, partner):
        raise NotAllowed


def _require_hours(offer: Offer) -> None:
    """An offer with seats needs hours, in order, on the same day."""
    errors = offer.hour_errors()
    if errors:
        raise BadInput(errors)


def materialise_slots(*, offer: Offer, now: datetime, days: int = DAYS_AHEAD) -> int:
    """Make the servings of the next `days` days that are missing; return how many.

    Servings that were never booked and no longer fit the offer go; booked ones stay, and never
    get fewer seats than are taken.
    """
    current()
    wanted = list(_times(offer, now, days))
    seats = offer.daily_seats
    coming = Slot.objects.filter(offer=offer, starts_at__gt=now)
    coming.exclude(starts_at__in=[start for start, _end in wanted]).filter(
        taken=0, bookings__isnull=True
    ).delete()
    if not wanted or seats is None:
        return 0
    coming.exclude(capacity=seats).update(capacity=Greatest(F("taken"), seats))
    there = set(coming.values_list("starts_at", flat=True))
    missing = [
        Slot(offer=offer, starts_at=start, ends_at=end, capacity=seats)
        for start, end in wanted
        if start not in there
    ]
    Slot.objects.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def _times(offer: Offer, now: datetime, days: int) -> list[tuple[datetime, datetime]]:
    """Return when the coming servings start and end; one that is going on now counts."""
    if (
        not offer.active
        or not offer.daily_seats
        or offer.serves_from is None
        or offer.serves_until is None
    ):
        return []
    zone = ZoneInfo(offer.partner.community.zone)
    today = now.astimezone(zone).date()
    times = []
    for ahead in range(days):
        day = today + timedelta(days=ahead)
        if str(day.isoweekday()) not in offer.weekdays:
            continue
        start = datetime.combine(day, offer.serves_from, zone)
        end = datetime.combine(day, offer.serves_until, zone)
        if end > now:
            times.append((start, end))
    return times
