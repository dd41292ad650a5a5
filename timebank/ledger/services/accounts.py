"""Open and close accounts."""

from datetime import datetime
from typing import Any

from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Household, Member, Organisation
from grids.places.models import Community
from timebank.ledger.models import Account, Ledger
from timebank.ledger.services.refusals import OpenHolds


def ensure_account(
    *,
    community: Community,
    kind: str,
    now: datetime,
    member: Member | None = None,
    household: Household | None = None,
    organisation: Organisation | None = None,
    name: str = "",
) -> Account:
    """Return the credit account of this kind and owner, opening it (and the ledger) if needed.

    Safe when two do it at once: the unique constraints decide and the loser reads the winner's.
    `fund` and `clearing` accounts are told apart by `name`.
    """
    current()
    owner: dict[str, Any] = {
        "kind": kind,
        "member": member,
        "household": household,
        "organisation": organisation,
    }
    if kind in {Account.Kind.FUND, Account.Kind.CLEARING}:
        owner["name"] = name
    wanted = {
        Account.Kind.MEMBER: member,
        Account.Kind.HOUSEHOLD: household,
        Account.Kind.ORGANISATION: organisation,
        Account.Kind.PARTNER: organisation,
    }
    if kind in wanted and wanted[Account.Kind(kind)] is None:
        raise ValueError(f"an account of kind {kind} needs its owner")
    found = Account.objects.filter(
        ledger__community=community, ledger__unit=Ledger.Unit.CREDIT, **owner
    ).first()
    if found is not None:
        return found
    ledger, _created = Ledger.objects.get_or_create(community=community, unit=Ledger.Unit.CREDIT)
    floor = None if kind in Account.OPEN_ENDED else 0
    account, _created = Account.objects.get_or_create(
        ledger=ledger, **owner, defaults={"floor": floor, "opened_at": now, **_named(owner, name)}
    )
    return account


def _named(owner: dict[str, Any], name: str) -> dict[str, str]:
    return {} if "name" in owner else {"name": name}


def close_accounts_of(*, member: Member, now: datetime) -> None:
    """Close the accounts of somebody who is erased; the books keep them under their number.

    What is left on them stays outstanding. Raises OpenHolds.
    """
    ids = Account.objects.filter(member=member, closed_at=None).values_list("pk", flat=True)
    for account in lock(Account.objects.all(), ids).values():
        if account.held:
            raise OpenHolds
        account.closed_at, account.name = now, ""
        account.save(update_fields=["closed_at", "name"])
        current().audit("account.closed", account)
