"""One community's books for a year, kept in memory and written in bulk.

The arithmetic is that of timebank.ledger.services; hashes, leaves and seals come from its own
canonical functions. Moves must be made in the order of time. `manage.py verify_ledger` is the
judge of both.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from config.demo.city_bulk import Rows
from timebank.ledger import merkle
from timebank.ledger.canonical import (
    FIRST_PREVIOUS,
    leaf_text,
    owner_text,
    payload_hash,
    seal_digest,
)
from timebank.ledger.models import Account, Ledger, Posting, Seal, SealLeaf, Transfer

_MOVING = {Transfer.Phase.POSTED, Transfer.Phase.POST}


@dataclass(slots=True)
class Purse:
    """An account as it will stand; `member` or `organisation` is its owner's id."""

    pk: int
    kind: str
    member: int | None = None
    organisation: int | None = None
    locked: bool = True
    opened_at: datetime | None = None
    balance: int = 0
    held: int = 0
    received: int = 0
    spent: int = 0
    last: datetime | None = None
    owner: str = field(default="")

    def __post_init__(self) -> None:
        self.owner = owner_text(self.kind, self.member, None, self.organisation)

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transfer that waits to be paid or released."""

    transfer: int
    debit: Purse
    credit: Purse
    amount: int


class Books:
    """Accounts, postings, transfers and seals of one ledger that had none before."""

    def __init__(self, ledger: Ledger, issue: Account) -> None:
        self._ledger = ledger.pk
        self.issue = Purse(issue.pk, Account.Kind.ISSUE, locked=False)
        self._accounts = Rows(
            Account,
            "kind member_id organisation_id balance held received_total spent_total last_at "
            "opened_at",
            ledger_id=ledger.pk,
            floor=0,
        )
        self._postings = Rows(
            Posting,
            "actor_id scope key payload_hash salt reason memo source_type source_id rule_version "
            "at",
            ledger_id=ledger.pk,
        )
        self._transfers = Rows(
            Transfer,
            "posting_id debit_id credit_id amount phase pending_of_id at debit_balance "
            "debit_spent_total credit_balance credit_received_total",
        )
        self._seals = Rows(Seal, "number root previous leaves digest at", ledger_id=ledger.pk)
        self._leaves = Rows(SealLeaf, "transfer_id seal_id index digest")
        self._purses: list[Purse] = []
        self._unsealed: list[tuple[int, bytes]] = []
        self._previous = FIRST_PREVIOUS

    def open(self, *, member: int | None = None, organisation: int | None = None) -> Purse:
        """Open an account for a member or a partner; without a move it is not written."""
        kind = Account.Kind.MEMBER if member else Account.Kind.PARTNER
        purse = Purse(self._accounts.new_id(), kind, member, organisation)
        self._purses.append(purse)
        return purse

    def move(
        self,
        debit: Purse,
        credit: Purse,
        amount: int,
        *,
        at: datetime,
        actor: int | None,
        key: str,
        reason: str,
        memo: str,
        source: tuple[str, int | None] = ("", None),
        rule_version: int | None = None,
        phase: str = Transfer.Phase.POSTED,
        pending_of: Hold | None = None,
    ) -> tuple[int, int]:
        """Write one posting of one transfer; return both ids. Raises ValueError if it can't be."""
        scope = "system" if actor is None else f"member:{actor}"
        pending_id = pending_of.transfer if pending_of else None
        digest = payload_hash(
            ledger=self._ledger,
            scope=scope,
            key=key,
            reason=str(reason),
            memo=memo,
            source_type=source[0],
            source_id=source[1],
            rule_version=rule_version,
            reverses=None,
            lines=[(debit.pk, credit.pk, amount, str(phase), pending_id)],
        )
        salt = secrets.token_hex(16)
        posting = self._postings.add(
            actor, scope, key, digest, salt, str(reason), memo, *source, rule_version, at
        )
        moves = phase in _MOVING
        after = (
            *self._take(debit, amount, at, phase=phase, moves=moves, hold=pending_of),
            *(self._give(credit, amount, at) if moves else (None, None)),
        )
        transfer = self._transfers.add(
            posting, debit.pk, credit.pk, amount, str(phase), pending_id, at, *after
        )
        leaf = leaf_text(
            ledger=self._ledger,
            transfer=transfer,
            posting=posting,
            debit=debit.pk,
            debit_owner=debit.owner,
            credit=credit.pk,
            credit_owner=credit.owner,
            amount=amount,
            phase=str(phase),
            pending_of=pending_id,
            at=at,
            reverses=None,
            payload=digest,
            salt=salt,
        )
        self._unsealed.append((transfer, merkle.leaf_digest(leaf.encode())))
        return posting, transfer

    @staticmethod
    def _take(
        purse: Purse, amount: int, at: datetime, *, phase: str, moves: bool, hold: Hold | None
    ) -> tuple[int | None, int | None]:
        if not purse.locked:
            return None, None
        if hold is None and amount > purse.available:
            raise ValueError(f"account {purse.pk} has not got {amount}")
        _touch(purse, at)
        if hold is not None:
            purse.held -= hold.amount
        elif phase == Transfer.Phase.PENDING:
            purse.held += amount
        if moves:
            purse.balance -= amount
            purse.spent += amount
        return purse.balance, purse.spent

    @staticmethod
    def _give(purse: Purse, amount: int, at: datetime) -> tuple[int | None, int | None]:
        if not purse.locked:
            return None, None
        _touch(purse, at)
        purse.balance += amount
        purse.received += amount
        return purse.balance, purse.received

    def seal(self, at: datetime) -> None:
        """Seal what no seal holds yet, as the daily job does."""
        if not self._unsealed:
            return
        leaves, self._unsealed = self._unsealed, []
        number = len(self._seals) + 1
        root = merkle.root(digest for _transfer, digest in leaves).hex()
        digest = seal_digest(
            ledger=self._ledger,
            number=number,
            root=root,
            previous=self._previous,
            leaves=len(leaves),
            at=at,
        )
        seal = self._seals.add(number, root, self._previous, len(leaves), digest, at)
        for index, (transfer, leaf) in enumerate(leaves):
            self._leaves.add(transfer, seal, index, leaf.hex())
        self._previous = digest

    def write(self) -> int:
        """Write everything, in the order in which rows refer to each other; return transfers."""
        for purse in self._purses:
            if purse.opened_at is not None:
                self._accounts.put(
                    purse.pk, str(purse.kind), purse.member, purse.organisation, purse.balance,
                    purse.held, purse.received, purse.spent, purse.last, purse.opened_at,
                )  # fmt: skip
        self._accounts.write()
        self._postings.write()
        transfers = self._transfers.write()
        self._seals.write()
        self._leaves.write()
        return transfers


def _touch(purse: Purse, at: datetime) -> None:
    if purse.last is not None and at < purse.last:
        raise ValueError(f"time runs back on account {purse.pk}")
    purse.last = at
    purse.opened_at = purse.opened_at or at
