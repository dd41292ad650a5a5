"""Reading the books."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db.models import Q, QuerySet, Sum

from common.money import credits_text
from grids.people.models import Member, Role
from grids.people.rules import holds_on, roles_of, today
from timebank.ledger.models import Account, Ledger, Transfer

KEEPERS = {Role.Kind.BOOKKEEPER, Role.Kind.AUDITOR, Role.Kind.ADMINISTRATOR}
MOVING = [Transfer.Phase.POSTED, Transfer.Phase.POST]


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


def accounts_visible_to(actor: Member) -> QuerySet[Account]:
    """Return the accounts whose lines `actor` may read.

    Their own, their household's, those of people they act for, their partners' as their staff,
    and as bookkeeper, auditor or administrator all of the community or organisation.
    """
    seen = Q(member=actor) | Q(
        kind=Account.Kind.MEMBER, member__proxies__in=actor.acts_for.filter(holds_on(today()))
    )
    if actor.household_id is not None:
        seen |= Q(household_id=actor.household_id)
    for role in roles_of(actor):
        if role.kind in KEEPERS and role.community is not None:
            seen |= Q(ledger__community__path__startswith=role.community.path)
        elif role.kind in KEEPERS and role.organisation_id is not None:
            seen |= Q(organisation_id=role.organisation_id)
        elif role.kind == Role.Kind.PARTNER_STAFF and role.organisation_id is not None:
            seen |= Q(kind=Account.Kind.PARTNER, organisation_id=role.organisation_id)
        elif role.kind == Role.Kind.PARTNER_STAFF and role.community is not None:
            here = Q(ledger__community__path__startswith=role.community.path)
            seen |= Q(kind=Account.Kind.PARTNER) & here
    return Account.objects.filter(pk__in=Account.objects.filter(seen).values("pk")).select_related(
        "member", "household", "organisation", "ledger"
    )


class Lines:
    """What touched one account: as much of a queryset as a list of lines needs.

    Two looks, at what went out and at what came in, each along its index. One query with OR, or
    one by id alone, is answered by walking the whole table backwards as soon as the account has
    many lines, and for a shop that closed two years ago that is every line since. So lines go by
    time, then id; a posting's time is never before its account's last one, so both agree.
    """

    model = Transfer

    def __init__(self, out: QuerySet[Transfer], came: QuerySet[Transfer]) -> None:
        self._sides = (out, came)

    def filter(self, *conditions: Q, **facts: Any) -> "Lines":
        """Keep the lines for which all of this holds."""
        out, came = (side.filter(*conditions, **facts) for side in self._sides)
        return Lines(out, came)

    def order_by(self, *keys: str) -> "Lines":
        """Sort by `keys`: time and id, both up or both down."""
        out, came = (side.order_by(*keys) for side in self._sides)
        return Lines(out, came)

    def first(self) -> Transfer | None:
        """Return the first line, or None."""
        return next(iter(self[:1]), None)

    def __getitem__(self, wanted: slice) -> list[Transfer]:
        """Return the first lines, `[:50]`."""
        assert not wanted.start
        assert not wanted.step
        return self._merged(side[: wanted.stop] for side in self._sides)[: wanted.stop]

    def __iter__(self) -> Iterator[Transfer]:
        return iter(self._merged(self._sides))

    def _merged(self, sides: Iterable[Iterable[Transfer]]) -> list[Transfer]:
        keys = self._sides[0].query.order_by
        names = [str(key).lstrip("-").replace("pk", "id") for key in keys]
        lines = [line for side in sides for line in side]
        return sorted(lines, key=attrgetter(*names), reverse=str(keys[0]).startswith("-"))


def lines_of(account: Account) -> Lines:
    """Return what touched this account, oldest first; a hold touches only whoever pays."""
    known = Transfer.objects.select_related(
        "posting",
        "debit__member", "debit__household", "debit__organisation",
        "credit__member", "credit__household", "credit__organisation",
    ).order_by("at", "pk")  # fmt: skip
    return Lines(known.filter(debit=account), known.filter(credit=account, phase__in=MOVING))


def balance_of(account: Account, *, before: datetime | None = None) -> int:
    """Return the balance now or just before an instant, in hundredths.

    Open-ended kinds are summed; the others carry a balance after each line.
    """
    if before is None and account.locked:
        return account.balance
    lines = Transfer.objects.filter(phase__in=MOVING)
    if before is not None:
        lines = lines.filter(at__lt=before)
    if not account.locked:
        came = lines.filter(credit=account).aggregate(sum=Sum("amount"))["sum"] or 0
        went = lines.filter(debit=account).aggregate(sum=Sum("amount"))["sum"] or 0
        return int(came - went)
    mine = Lines(lines.filter(debit=account), lines.filter(credit=account))
    last = mine.order_by("-at", "-pk").first()
    if last is None:
        return 0
    return int((last.debit_balance if last.debit_id == account.pk else last.credit_balance) or 0)


def owner_name(account: Account) -> str:
    """Name who an account belongs to, or what it is for."""
    owner = account.member or account.household or account.organisation
    if owner is not None:
        return str(owner)
    return account.name or str(account.get_kind_display())


def account_data(account: Account) -> dict[str, Any]:
    """Return an account as the API shows it."""
    balance = balance_of(account)
    return {
        "id": account.pk,
        "kind": account.kind,
        "owner": owner_name(account),
        "balance": credits_text(balance),
        "held": credits_text(account.held),
        "available": credits_text(account.available),
    }


def line_data(account: Account, transfer: Transfer) -> dict[str, Any]:
    """Return a transfer as seen from one of its accounts."""
    out = transfer.debit_id == account.pk
    other = transfer.credit if out else transfer.debit
    balance = transfer.debit_balance if out else transfer.credit_balance
    posting = transfer.posting
    return {
        "id": transfer.pk,
        "posting": posting.pk,
        "at": transfer.at,
        "reason": posting.reason,
        "text": str(posting.get_reason_display()),
        "memo": posting.memo,
        "phase": transfer.phase,
        "direction": "out" if out else "in",
        "moved": transfer.phase in MOVING,
        "amount": credits_text(transfer.amount),
        "balance": None if balance is None else credits_text(balance),
        "other": {"id": other.pk, "name": owner_name(other)},
        "reverses": posting.reverses_id,
        "hold": transfer.pending_of_id,
    }


def lines_data(account: Account, transfers: Iterable[Transfer]) -> list[dict[str, Any]]:
    """Return several lines of one account."""
    return [line_data(account, transfer) for transfer in transfers]
