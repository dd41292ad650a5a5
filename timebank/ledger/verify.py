"""Recompute the books from their transfers and name every fault.

One pass over the transfers in posting order, memory bounded by accounts and open holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from timebank.ledger import guards, merkle
from timebank.ledger.canonical import FIRST_PREVIOUS, payload_hash, seal_digest
from timebank.ledger.models import Account, Ledger, Posting, Seal, SealLeaf, Transfer
from timebank.ledger.seals import LEAF_COLUMNS, leaf_of

_CHUNK = 5_000
_POSTING = [
    "posting__actor_id", "posting__scope", "posting__key", "posting__reason", "posting__memo",
    "posting__source_type", "posting__source_id", "posting__rule_version", "posting__at",
]  # fmt: skip
_AFTER = [
    "debit_balance", "debit_spent_total", "credit_balance", "credit_received_total",
    "seal_leaf__digest",
]  # fmt: skip
_MOVING = {"posted", "post"}


@dataclass
class Report:
    """What was read and what is wrong with it."""

    transfers: int = 0
    postings: int = 0
    accounts: int = 0
    seals: int = 0
    sealed: int = 0
    ledgers: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.faults


@dataclass(slots=True)
class _Books:
    """One account's numbers, recomputed; and what its row says."""

    kind: str
    ledger: int
    stored: tuple[int, int, int, int, datetime | None]
    floor: int | None
    balance: int = 0
    held: int = 0
    spent: int = 0
    received: int = 0
    last: datetime | None = None

    @property
    def locked(self) -> bool:
        return self.kind not in Account.OPEN_ENDED


@contextmanager
def _snapshot() -> Iterator[None]:
    """Read everything as of one instant, without stopping those who write."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        # Not `atomic`: on SQLite that would take the write lock.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def verify(community_code: str | None = None) -> Report:
    """Check the ledgers of one community, or of all, against their transfers."""
    report = Report()
    with _snapshot():
        report.faults += [f"guard {name} is missing or changed" for name in guards.faults()]
        ledgers = Ledger.objects.order_by("pk").select_related("community")
        if community_code is not None:
            ledgers = ledgers.filter(community__code=community_code)
        for ledger in ledgers:
            _Check(ledger, report).run()
            report.ledgers += 1
    return report


class _Check:
    """One ledger's check."""

    def __init__(self, ledger: Ledger, report: Report) -> None:
        self.ledger = ledger
        self.report = report
        self.open_holds: dict[int, tuple[int, int, int]] = {}
        self.books: dict[int, _Books] = {}

    def fault(self, text: str) -> None:
        self.report.faults.append(f"ledger {self.ledger.community.code}: {text}")

    def run(self) -> None:
        self._read_accounts()
        rows = (
            Transfer.objects.filter(posting__ledger=self.ledger)
            .order_by("posting_id", "pk")
            .values_list(*LEAF_COLUMNS, *_POSTING, *_AFTER)
            .iterator(chunk_size=_CHUNK)
        )
        for _posting_id, group in groupby(rows, key=lambda row: row[2]):
            self._posting(list(group))
        self._empty_postings()
        self._compare_accounts()
        self._seals()

    def _read_accounts(self) -> None:
        rows = Account.objects.filter(ledger=self.ledger).values_list(
            "pk", "kind", "balance", "held", "received_total", "spent_total", "last_at", "floor"
        )
        for pk, kind, balance, held, received, spent, last, floor in rows.iterator(_CHUNK):
            self.books[pk] = _Books(
                kind, self.ledger.pk, (balance, held, received, spent, last), floor
            )
            self.report.accounts += 1

    def _posting(self, rows: list[tuple[Any, ...]]) -> None:
        self.report.postings += 1
        first = rows[0]
        actor, scope, key, reason, memo, source_type, source_id, rule, at = first[20:29]
        name = f"posting {first[2]}"
        if scope != ("system" if actor is None else f"member:{actor}"):
            self.fault(f"{name}: its actor is not its scope")
        digest = payload_hash(
            ledger=first[0],
            scope=scope,
            key=key,
            reason=reason,
            memo=memo,
            source_type=source_type,
            source_id=source_id,
            rule_version=rule,
            reverses=first[9],
            lines=[(row[3], row[4], row[5], row[6], row[7]) for row in rows],
        )
        if digest != first[10]:
            self.fault(f"{name}: its payload hash does not match what it says")
        for row in rows:
            if row[8] != at:
                self.fault(f"transfer {row[1]}: its time is not its posting's")
            self._transfer(row)

    def _transfer(self, row: tuple[Any, ...]) -> None:
        self.report.transfers += 1
        pk, debit_id, credit_id, amount, phase, pending_of, at = row[1], *row[3:9]
        debit, credit = self.books.get(debit_id), self.books.get(credit_id)
        if debit is None or credit is None:
            self.fault(f"transfer {pk}: its accounts are not in this ledger")
            return
        moving = phase in _MOVING
        released = 0
        if pending_of is not None:
            released = self._resolution(pk, row)
        if amount <= 0:
            self.fault(f"transfer {pk}: its amount is not above 0")
        if moving:
            debit.balance -= amount
            debit.spent += amount
            credit.balance += amount
            credit.received += amount
        elif phase == "pending":
            self.open_holds[pk] = (debit_id, credit_id, amount)
            debit.held += amount
        debit.held -= released
        expected = (
            (debit.balance, debit.spent) if debit.locked else (None, None),
            (credit.balance, credit.received) if credit.locked and moving else (None, None),
        )
        if row[29:31] != expected[0] or row[31:33] != expected[1]:
            self.fault(f"transfer {pk}: its balance-after or running total is wrong")
        if debit.locked:
            self._limits(pk, debit, debit_id, at)
        if credit.locked and moving:
            self._limits(pk, credit, credit_id, at)
        if row[33] is not None:
            self.report.sealed += 1
            if row[33] != merkle.leaf_digest(leaf_of(row).encode()).hex():
                self.fault(f"transfer {pk}: it is not what was sealed")

    def _resolution(self, pk: int, row: tuple[Any, ...]) -> int:
        """Check that this settles an open hold of the same accounts; return what it releases."""
        held = self.open_holds.pop(row[7], None)
        if held is None:
            self.fault(f"transfer {pk}: it settles hold {row[7]}, which is not open")
            return 0
        debit_id, credit_id, amount = held
        if (debit_id, credit_id) != (row[3], row[4]) or row[5] > amount:
            self.fault(f"transfer {pk}: it differs from hold {row[7]}")
        if row[6] in {"void", "expire"} and row[5] != amount:
            self.fault(f"transfer {pk}: it does not release all of hold {row[7]}")
        return amount

    def _limits(self, pk: int, books: _Books, account_id: int, at: datetime) -> None:
        """Check time and floor after a transfer."""
        if books.last is not None and at < books.last:
            self.fault(f"transfer {pk}: time runs back on account {account_id}")
        books.last = at
        if books.held < 0 or (books.held and books.balance < books.held):
            self.fault(f"transfer {pk}: account {account_id} holds more than it has")
        if books.floor is not None and books.balance - books.held < books.floor:
            self.fault(f"transfer {pk}: account {account_id} falls below its floor")

    def _empty_postings(self) -> None:
        bare = Posting.objects.filter(ledger=self.ledger).exclude(
            Exists(Transfer.objects.filter(posting=OuterRef("pk")))
        )
        for pk in bare.values_list("pk", flat=True).iterator():
            self.fault(f"posting {pk}: it has no transfer")

    def _compare_accounts(self) -> None:
        total = 0
        for pk, books in self.books.items():
            total += books.balance
            wanted: tuple[Any, ...] = (0, 0, 0, 0, None)
            if books.locked:
                wanted = (books.balance, books.held, books.received, books.spent, books.last)
                if books.floor is None or books.floor > 0:
                    self.fault(f"account {pk}: its floor is not set")
            for name, stored, expected in zip(
                ("balance", "held amount", "total received", "total spent", "last time"),
                books.stored,
                wanted,
                strict=True,
            ):
                if stored != expected:
                    self.fault(
                        f"account {pk}: its {name} is {stored}, its transfers say {expected}"
                    )
        if total:
            self.fault(f"the balances sum to {total}, not 0")

    def _seals(self) -> None:
        """Check each seal's root, count, digest and place in the chain."""
        previous = FIRST_PREVIOUS
        seals = Seal.objects.filter(ledger=self.ledger).order_by("number").iterator()
        for number, seal in enumerate(seals, start=1):
            self.report.seals += 1
            name = f"seal {seal.number}"
            tree = merkle.Tree()
            leaves = (
                SealLeaf.objects.filter(seal=seal).order_by("index").values_list("index", "digest")
            )
            for index, digest in leaves.iterator(chunk_size=_CHUNK):
                if index != tree.size:
                    self.fault(f"{name}: leaf {tree.size} is missing")
                    break
                tree.add(bytes.fromhex(digest))
            if tree.size != seal.leaves or tree.root().hex() != seal.root:
                self.fault(f"{name}: its root is not that of its leaves")
            if seal.number != number or seal.previous != previous:
                self.fault(f"{name}: it does not follow the seal before")
            digest = seal_digest(
                ledger=self.ledger.pk,
                number=seal.number,
                root=seal.root,
                previous=seal.previous,
                leaves=seal.leaves,
                at=seal.at,
            )
            if digest != seal.digest:
                self.fault(f"{name}: its digest is wrong")
            previous = seal.digest
