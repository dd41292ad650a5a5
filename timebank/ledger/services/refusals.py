"""Why the ledger says no."""

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError


class InsufficientCredits(DomainError):
    """The payer's available credits don't cover it; `available` is a string of credits."""

    code = "insufficient_credits"
    detail = _("There are not enough credits on the account.")


class AlreadyResolved(DomainError):
    """The hold was paid, released or expired before; `phase` says which."""

    code = "already_resolved"
    detail = _("This hold was settled already.")


class AlreadyReversed(DomainError):
    """The posting was corrected before; a posting is reversed once."""

    code = "already_reversed"
    detail = _("This posting was corrected already.")


class NotReversible(DomainError):
    """The posting only holds or releases credits: void the hold instead."""

    code = "not_reversible"
    detail = _("A hold is released, not corrected.")


class MoreThanHeld(DomainError):
    """A hold can't be paid beyond its amount."""

    code = "more_than_held"
    detail = _("This is more than the amount held.")


class AccountClosed(DomainError):
    """The account belongs to somebody who left."""

    code = "account_closed"
    detail = _("This account is closed.")


class OpenHolds(DomainError):
    """An account with credits on hold can't be closed."""

    code = "open_bookings"
    detail = _("Some credits are still reserved. Cancel or use the bookings first.")
