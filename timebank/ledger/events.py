"""What the ledger tells the world, and to whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from common.money import credits_text
from grids.people.models import Member
from realtime.events import DomainEvent, record
from timebank.ledger.models import Account

Topics = Callable[[Account], Iterable[str]]


@dataclass(frozen=True, kw_only=True)
class AccountChanged(DomainEvent):
    """An account's balance or held amount moved; amounts as the contract's strings."""

    type: ClassVar[str] = "account.changed"
    account: int
    balance: str
    held: str
    available: str


def _of_member(account: Account) -> Iterable[str]:
    return [f"member:{account.member_id}"]


def _of_household(account: Account) -> Iterable[str]:
    ids = Member.objects.filter(household=account.household).values_list("pk", flat=True)
    return [f"member:{pk}" for pk in ids]


_topics: dict[str, Topics] = {
    Account.Kind.MEMBER: _of_member,
    Account.Kind.HOUSEHOLD: _of_household,
}


def register_topics(kind: str, topics: Topics) -> None:
    """Let `topics(account)` name who hears of changes of accounts of this kind."""
    _topics[kind] = topics


def record_change(account: Account) -> None:
    """Queue AccountChanged for everybody who follows this account."""
    topics = _topics.get(account.kind)
    if topics is None:
        return
    event = AccountChanged(
        account=account.pk,
        balance=credits_text(account.balance),
        held=credits_text(account.held),
        available=credits_text(account.available),
    )
    record(event, topics=topics(account))
