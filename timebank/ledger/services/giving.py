"""Give credits to a neighbour."""

import hashlib
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, NotFound
from common.unit_of_work import current
from grids.people.models import Member
from timebank.ledger.models import Account, Posting
from timebank.ledger.services.accounts import ensure_account
from timebank.ledger.services.postings import Move, post

GIVEN_TO = {
    Account.Kind.MEMBER,
    Account.Kind.HOUSEHOLD,
    Account.Kind.ORGANISATION,
    Account.Kind.FUND,
}


def give_to_neighbour(
    *, actor: Member, neighbour: Member, amount: int, key: str, now: datetime, memo: str = ""
) -> Posting:
    """Give to a member of the actor's own community, opening their account where they have none.

    Raises NotFound and what `give` raises.
    """
    community = actor.community
    if community is None or neighbour.community_id != community.pk:
        raise NotFound
    taker = ensure_account(community=community, kind=Account.Kind.MEMBER, member=neighbour, now=now)
    return give(actor=actor, to_id=taker.pk, amount=amount, key=key, now=now, memo=memo)


def give(
    *, actor: Member, to_id: int, amount: int, key: str, now: datetime, memo: str = ""
) -> Posting:
    """Move `amount` hundredths from the actor's account to another of the same community.

    Raises NotFound, BadInput, InsufficientCredits, AccountClosed, KeyReused.
    """
    community = actor.community
    if community is None:
        raise NotFound
    payer = ensure_account(community=community, kind=Account.Kind.MEMBER, member=actor, now=now)
    taker = Account.objects.filter(pk=to_id, ledger=payer.ledger_id, kind__in=GIVEN_TO).first()
    if taker is None:
        raise NotFound
    if taker.pk == payer.pk:
        raise BadInput({"to": [str(_("This is your own account."))]})
    # Hashed, so that no key that somebody chooses can pass for one of ours.
    own_key = f"give:{hashlib.sha256(key.encode()).hexdigest()}"
    posting = post(
        actor=actor,
        key=own_key,
        reason=Posting.Reason.GIVEN,
        moves=[Move(payer.pk, taker.pk, amount)],
        now=now,
        memo=memo,
    )
    current().audit("credits.given", posting, after={"to": taker.pk, "amount": amount})
    return posting
