"""Book, cancel, redeem, lapse: a booking is a hold until one of the other three."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member
from timebank.ledger.models import Account, Posting, Transfer
from timebank.ledger.services import ensure_account, hold, resolve
from timebank.spending.codes import new_code, read_code
from timebank.spending.events import BookingCancelled, BookingMade, BookingRedeemed, tell
from timebank.spending.models import Booking, Offer, Slot
from timebank.spending.queries import bookings_visible_to, offers_visible_to
from timebank.spending.rules import is_staff_of, may_book_for, partners_of_staff
from timebank.spending.services.catalogue import partner_account
from timebank.spending.workflow import Expired, require_step

State = Booking.State
MOST_QUANTITY = 20
KEEPS_DAYS = 30  # a booking without a serving, such as goods to be fetched
GRACE = timedelta(hours=1)
SOURCE = "spending.booking"


class SoldOut(DomainError):
    """Fewer seats are left than were asked for; `left` says how many."""

    code = "sold_out"
    detail = _("There are not enough seats left. Choose another day.")


class SlotOver(DomainError):
    """The serving has ended."""

    code = "slot_over"
    detail = _("This serving is over. Choose another day.")


class OfferClosed(DomainError):
    """The offer or its partner takes no bookings now."""

    code = "offer_closed"
    detail = _("This is not offered at the moment.")


class WrongPartner(DomainError):
    """The booking is for another partner."""

    code = "wrong_partner"
    detail = _("This booking is for another place.")


def book(
    *,
    actor: Member,
    offer_id: int,
    now: datetime,
    slot_id: int | None = None,
    quantity: int = 1,
    for_member_id: int | None = None,
) -> Booking:
    """Book `quantity` places for the actor, or for a member they act for; hold the price.

    The member pays. Raises SoldOut, InsufficientCredits, SlotOver, OfferClosed, NotFound,
    BadInput.
    """
    member = _guest(actor, for_member_id)
    offer = offers_visible_to(member).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    if not (offer.active and offer.partner.active):
        raise OfferClosed
    if not 1 <= quantity <= MOST_QUANTITY:
        raise BadInput({"quantity": [str(_("Choose 1 to 20."))]})
    slot = _take_seats(offer, slot_id, quantity, now)
    booking = Booking.objects.create(
        offer=offer,
        slot=slot,
        member=member,
        booked_by=actor,
        quantity=quantity,
        price=offer.price * quantity,
        code=_free_code(),
        booked_at=now,
        expires_at=_end_of_day(offer, slot.ends_at if slot else now + timedelta(days=KEEPS_DAYS)),
    )
    if booking.price:
        booking.hold = _hold_price(booking, actor, now)
        booking.save(update_fields=["hold"])
    tell(BookingMade, booking)
    current().audit(
        "booking.made",
        booking,
        after={"offer": offer.pk, "slot": slot_id, "quantity": quantity, "price": booking.price},
        on_behalf_of=member if member.pk != actor.pk else None,
    )
    return booking


def _guest(actor: Member, for_member_id: int | None) -> Member:
    """Return who it is for; somebody the actor may not act for does not exist to them."""
    if for_member_id is None or for_member_id == actor.pk:
        return actor
    member = (
        Member.objects.filter(pk=for_member_id, is_active=True, erased_at=None)
        .select_related("home__cell__community", "community")
        .first()
    )
    if member is None or not may_book_for(actor, member):
        raise NotFound
    return member


def _take_seats(offer: Offer, slot_id: int | None, quantity: int, now: datetime) -> Slot | None:
    """Lock the serving and take the seats; never more than there are."""
    if slot_id is None:
        if offer.daily_seats is not None:
            raise BadInput({"slot": [str(_("Choose a day."))]})
        return None
    slot = lock(Slot.objects.filter(offer=offer), [slot_id]).get(slot_id)
    if slot is None:
        raise NotFound
    if slot.ends_at <= now:
        raise SlotOver
    if slot.taken + quantity > slot.capacity:
        raise SoldOut(left=slot.capacity - slot.taken)
    slot.taken += quantity
    slot.save(update_fields=["taken"])
    return slot


def _free_code() -> str:
    """Return a code that no booking has; the unique constraint decides the last word."""
    while True:
        code = new_code()
        if not Booking.objects.filter(code=code).exists():
            return code


def _end_of_day(offer: Offer, at: datetime) -> datetime:
    """Return the midnight that ends this instant's day where the partner is."""
    zone = ZoneInfo(offer.partner.community.zone)
    return datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone)


def _hold_price(booking: Booking, actor: Member, now: datetime) -> Transfer:
    partner = booking.offer.partner
    payer = ensure_account(
        community=partner.community, kind=Account.Kind.MEMBER, member=booking.member, now=now
    )
    return hold(
        actor=actor,
        key=f"booking:{booking.pk}:hold",
        debit=payer.pk,
        credit=partner_account(partner, now).pk,
        amount=booking.price,
        now=now,
        source=(SOURCE, booking.pk),
        memo=booking.offer.title,
    )


def _lock_booking(booking: Booking) -> Booking:
    """Lock the booking's serving, then the booking; return it as it stands now."""
    slots = lock(Slot.objects.all(), [booking.slot_id]) if booking.slot_id else {}
    locked = lock(Booking.objects.all(), [booking.pk])[booking.pk]
    locked.offer, locked.member = booking.offer, booking.member
    locked.slot = slots[booking.slot_id] if booking.slot_id else None
    return locked


def _settle(
    booking: Booking, *, state: str, phase: str, reason: str, actor: Member | None, now: datetime
) -> None:
    """Move the booking to its last state and its hold with it."""
    require_step(booking, state)
    before = str(booking.state)
    booking.state, booking.closed_at = state, now
    booking.save(update_fields=["state", "closed_at", "redeemed_by"])
    if booking.hold_id is not None:
        resolve(
            actor=actor,
            key=f"booking:{booking.pk}:{state}",
            pending_id=booking.hold_id,
            phase=phase,
            now=now,
            reason=reason,
            memo=booking.offer.title,
        )
    current().audit(
        f"booking.{state}",
        booking,
        before={"state": before},
        after={"state": str(state)},
        on_behalf_of=booking.member if actor and actor.pk != booking.member_id else None,
    )


def cancel_booking(*, actor: Member, booking_id: int, now: datetime) -> Booking:
    """Cancel a booking: its seats are free again and its hold is released.

    Raises AlreadyRedeemed, AlreadyCancelled, Expired, NotFound.
    """
    found = bookings_visible_to(actor).filter(pk=booking_id).first()
    if found is None:
        raise NotFound
    booking = _lock_booking(found)
    require_step(booking, State.CANCELLED)
    if booking.expires_at <= now:
        raise Expired
    _settle(
        booking,
        state=State.CANCELLED,
        phase=Transfer.Phase.VOID,
        reason=Posting.Reason.CANCELLED,
        actor=actor,
        now=now,
    )
    if booking.slot is not None:
        Slot.objects.filter(pk=booking.slot.pk).update(taken=F("taken") - booking.quantity)
        booking.slot.taken -= booking.quantity
    tell(BookingCancelled, booking)
    return booking


def redeem(*, actor: Member, code: str, now: datetime) -> Booking:
    """Take a booking's code at its partner's counter: the hold is paid to the partner, once.

    Good until the end of the serving's day; handing a meal out earlier is the kitchen's choice.
    Raises NotAllowed (no counter), NotFound (no such code), WrongPartner, AlreadyRedeemed,
    AlreadyCancelled, Expired.
    """
    if not partners_of_staff(actor).exists():
        raise NotAllowed
    found = (
        Booking.objects.select_related(
            "offer__partner__organisation__community", "offer__partner__community", "member"
        )
        .filter(code=read_code(code) or None)
        .first()
    )
    if found is None:
        raise NotFound(_("No booking has this code. Please read it again."))
    if not is_staff_of(actor, found.offer.partner):
        raise WrongPartner
    booking = _lock_booking(found)
    require_step(booking, State.REDEEMED)
    if booking.expires_at <= now:
        raise Expired
    booking.redeemed_by = actor
    _settle(
        booking,
        state=State.REDEEMED,
        phase=Transfer.Phase.POST,
        reason=Posting.Reason.REDEEMED,
        actor=actor,
        now=now,
    )
    tell(BookingRedeemed, booking)
    return booking


def lapse_booking(*, booking_id: int, now: datetime) -> bool:
    """Let go of a booking that nobody fetched; say whether there was anything to do."""
    found = (
        Booking.objects.select_related("offer__partner__community", "member")
        .filter(pk=booking_id)
        .first()
    )
    if found is None:
        raise NotFound
    booking = _lock_booking(found)
    if booking.state != State.BOOKED or booking.expires_at + GRACE > now:
        return False
    _settle(
        booking,
        state=State.LAPSED,
        phase=Transfer.Phase.EXPIRE,
        reason=Posting.Reason.LAPSED,
        actor=None,
        now=now,
    )
    tell(BookingCancelled, booking)
    return True
