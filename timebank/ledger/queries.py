"""Reading the books."""

from grids.people.models import Member
from timebank.ledger.models import Account, Ledger


def account_of(member: Member) -> Account | None:
    """Return the member's own credit account in their community, if it was opened."""
    if member.community_id is None:
        return None
    return Account.objects.filter(
        kind=Account.Kind.MEMBER,
        member=member,
        ledger__community_id=member.community_id,
        ledger__unit=Ledger.Unit.CREDIT,
    ).first()
