"""A ledger line in plain words."""

from typing import Any

from django.utils.translation import gettext as _

from timebank.ledger.models import Account, Posting

Reason = Posting.Reason


def say(line: dict[str, Any]) -> str:
    """Say what a line of `queries.line_data` was, to whoever owns the account."""
    name = line["other"]["name"]
    came = line["direction"] == "in"
    words: dict[str, str] = {
        Reason.EARNED: _("For hours you gave"),
        Reason.BOOKED: _("Kept for a booking at %(name)s"),
        Reason.REDEEMED: _("A booking was fetched") if came else _("Fetched at %(name)s"),
        Reason.CANCELLED: _("Booking cancelled: the credits are free again"),
        Reason.LAPSED: _("Booking not fetched: the credits are free again"),
        Reason.CHARGED: _("%(name)s paid here") if came else _("Paid at %(name)s"),
        Reason.GIVEN: _("A gift from %(name)s") if came else _("A gift to %(name)s"),
        Reason.REVERSED: _("A mistake was put right"),
    }
    text = words.get(line["reason"])
    return text % {"name": name} if text else str(line["text"])


def with_words(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `words` and `sign` ("in", "out", or "" where nothing moved) to lines."""
    return [
        {**line, "words": say(line), "sign": line["direction"] if line["moved"] else ""}
        for line in lines
    ]


def account_title(account: Account, owner: str, *, own: bool) -> str:
    """Name an account for its page."""
    return _("My credits") if own else _("Credits of %(name)s") % {"name": owner}
