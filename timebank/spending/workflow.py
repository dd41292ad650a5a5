"""The states of a booking: the one table that says what may follow what."""

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from timebank.spending.models import Booking

State = Booking.State
TRANSITIONS: dict[str, frozenset[str]] = {
    State.BOOKED: frozenset({State.REDEEMED, State.CANCELLED, State.LAPSED}),
    State.REDEEMED: frozenset(),
    State.CANCELLED: frozenset(),
    State.LAPSED: frozenset(),
}


class AlreadyRedeemed(DomainError):
    """The booking was redeemed before."""

    code = "already_redeemed"
    detail = _("This booking was redeemed already.")


class AlreadyCancelled(DomainError):
    """The booking was cancelled before."""

    code = "already_cancelled"
    detail = _("This booking was cancelled.")


class Expired(DomainError):
    """The day of the booking is over."""

    code = "expired"
    detail = _("The day of this booking is over.")


_REFUSALS: dict[str, type[DomainError]] = {
    State.REDEEMED: AlreadyRedeemed,
    State.CANCELLED: AlreadyCancelled,
    State.LAPSED: Expired,
}


def require_step(booking: Booking, to: str) -> None:
    """Raise the refusal that names where the booking stands, unless it may become `to`."""
    if to not in TRANSITIONS[booking.state]:
        raise _REFUSALS[booking.state](state=booking.state, to=str(to))
