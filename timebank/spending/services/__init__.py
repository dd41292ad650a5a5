"""Verbs of spending, by what they handle."""

from timebank.spending.services.bookings import (
    OfferClosed,
    SlotOver,
    SoldOut,
    WrongPartner,
    book,
    cancel_booking,
    lapse_booking,
    redeem,
)
from timebank.spending.services.catalogue import (
    change_offer,
    create_offer,
    create_partner,
    materialise_slots,
)
from timebank.spending.services.charges import (
    OtherCommunity,
    PayCodeExpired,
    charge,
    issue_pay_code,
)

__all__ = [
    "OfferClosed",
    "OtherCommunity",
    "PayCodeExpired",
    "SlotOver",
    "SoldOut",
    "WrongPartner",
    "book",
    "cancel_booking",
    "change_offer",
    "charge",
    "create_offer",
    "create_partner",
    "issue_pay_code",
    "lapse_booking",
    "materialise_slots",
    "redeem",
]
