"""Accounts with credits, for tests of everything that spends."""

from grids.people.models import Member
from grids.places.models import Community
from tests.factories import NOW, MemberFactory
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import Move, ensure_account, post


def issue_account(community: Community) -> Account:
    """Open the community's issue account; needs an open unit of work."""
    return ensure_account(community=community, kind="issue", now=NOW)


def member_account(
    community: Community, *, amount: int = 0, member: Member | None = None
) -> Account:
    """Open a member's account holding `amount`; needs an open unit of work."""
    member = member or MemberFactory(community=community)
    account = ensure_account(community=community, kind="member", member=member, now=NOW)
    if amount:
        post(
            actor=None,
            key=f"seed:{account.pk}:{Posting.objects.count()}",
            reason=Posting.Reason.EARNED,
            moves=[Move(issue_account(community).pk, account.pk, amount)],
            now=NOW,
        )
        account.refresh_from_db()
    return account
