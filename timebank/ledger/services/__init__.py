"""The only code that moves credits."""

from timebank.ledger.services.accounts import close_accounts_of, ensure_account
from timebank.ledger.services.giving import give, give_to_neighbour
from timebank.ledger.services.postings import Move, hold, post, resolve, reverse
from timebank.ledger.services.refusals import (
    AccountClosed,
    AlreadyResolved,
    AlreadyReversed,
    InsufficientCredits,
    MoreThanHeld,
    NotReversible,
    OpenHolds,
)

__all__ = [
    "AccountClosed",
    "AlreadyResolved",
    "AlreadyReversed",
    "InsufficientCredits",
    "MoreThanHeld",
    "Move",
    "NotReversible",
    "OpenHolds",
    "close_accounts_of",
    "ensure_account",
    "give",
    "give_to_neighbour",
    "hold",
    "post",
    "resolve",
    "reverse",
]
