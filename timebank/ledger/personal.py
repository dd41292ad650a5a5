"""What the ledger adds to a person's page, export and erasure."""

from datetime import datetime
from typing import Any

from common import clock
from common.unit_of_work import OutsideUnitOfWork, current, unit_of_work
from grids.people.models import Member
from timebank.ledger import queries
from timebank.ledger.models import Account
from timebank.ledger.services import close_accounts_of, ensure_account


def own_account(member: Member) -> Account | None:
    """Return the member's account, opening it at first sight; None without a community."""
    found = queries.account_of(member)
    if found is not None or member.community is None:
        return found
    try:
        current()
    except OutsideUnitOfWork:
        with unit_of_work(member):
            return _open(member)
    return _open(member)


def _open(member: Member) -> Account:
    assert member.community is not None
    return ensure_account(
        community=member.community, kind=Account.Kind.MEMBER, member=member, now=clock.now()
    )


def me_part(member: Member) -> dict[str, Any] | None:
    """Return {id, balance, held, available} for `GET /api/v1/me`."""
    account = own_account(member)
    if account is None:
        return None
    data = queries.account_data(account)
    return {name: data[name] for name in ("id", "balance", "held", "available")}


def export_part(member: Member) -> list[dict[str, Any]]:
    """Return the member's accounts with every line."""
    accounts = Account.objects.filter(member=member).select_related("member")
    return [
        {
            **queries.account_data(account),
            "transfers": [
                {**line, "at": line["at"].isoformat()}
                for line in queries.lines_data(account, queries.lines_of(account))
            ],
        }
        for account in accounts
    ]


def erase(member: Member, now: datetime) -> None:
    """Close the member's accounts: they stay in the books under their number alone."""
    close_accounts_of(member=member, now=now)
