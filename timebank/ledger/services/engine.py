"""How a posting is judged and written: lock, judge, insert, move the balances."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from common.errors import DomainError, KeyReused, NotFound
from common.locks import lock
from common.money import credits_text
from common.unit_of_work import current
from grids.people.models import Member
from timebank.ledger.canonical import payload_hash
from timebank.ledger.events import record_change
from timebank.ledger.models import Account, Posting, Transfer
from timebank.ledger.services.refusals import (
    AccountClosed,
    AlreadyResolved,
    AlreadyReversed,
    InsufficientCredits,
    MoreThanHeld,
)

Phase = Transfer.Phase
MOST = 10**14  # hundredths in one transfer; far above any community's books


@dataclass(frozen=True)
class Line:
    debit: int
    credit: int
    amount: int
    phase: str
    pending_of: int | None = None
    released: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one posting says, before it is judged."""

    actor: Member | None
    key: str
    reason: str
    lines: Sequence[Line]
    memo: str = ""
    source: tuple[str, int | None] = ("", None)
    rule_version: int | None = None
    reverses: int | None = None

    @property
    def scope(self) -> str:
        return "system" if self.actor is None else f"member:{self.actor.pk}"

    def hash(self, ledger_id: int) -> str:
        return payload_hash(
            ledger=ledger_id,
            scope=self.scope,
            key=self.key,
            reason=str(self.reason),
            memo=self.memo,
            source_type=self.source[0],
            source_id=self.source[1],
            rule_version=self.rule_version,
            reverses=self.reverses,
            lines=[(x.debit, x.credit, x.amount, str(x.phase), x.pending_of) for x in self.lines],
        )


def write(entry: Entry, now: datetime) -> tuple[Posting, list[Transfer]]:
    """Lock, judge, then write posting, transfers and balances; or return what the key did."""
    current()
    _check_shape(entry)
    accounts = _lock_accounts(entry.lines)
    ledger_id = next(iter(accounts.values())).ledger_id
    digest = entry.hash(ledger_id)
    try:
        touched = _judge(entry, accounts)
    except DomainError:
        # A repeat of what succeeded is answered as the first time, though it can't be afforded
        # a second time. Its twin has committed: it held the same account locks.
        first = _first_outcome(entry, digest)
        if first is None:
            raise
        return first
    at = max([now, *(a.last_at for a in touched if a.last_at)])
    posting = _insert_posting(entry, ledger_id, digest, at)
    if posting is None:
        first = _first_outcome(entry, digest)
        assert first is not None
        return first
    transfers = Transfer.objects.bulk_create(_apply(entry, accounts, posting))
    for account in touched:
        Account.objects.filter(pk=account.pk).update(
            balance=account.balance,
            held=account.held,
            received_total=account.received_total,
            spent_total=account.spent_total,
            last_at=at,
        )
        record_change(account)
    return posting, transfers


def _check_shape(entry: Entry) -> None:
    """Refuse what only a programming error can ask for."""
    if not entry.lines:
        raise ValueError("a posting moves something")
    if not 0 < len(entry.key) <= 255 or len(entry.memo) > 200 or "\0" in entry.memo + entry.key:
        raise ValueError("key: 1 to 255 characters; memo: at most 200")
    for line in entry.lines:
        if isinstance(line.amount, bool) or not isinstance(line.amount, int):
            raise TypeError("amounts are integers of hundredths")
        if not 0 < line.amount <= MOST or line.debit == line.credit:
            raise ValueError("an amount above 0 moves between two accounts")


def _lock_accounts(lines: Sequence[Line]) -> dict[int, Account]:
    """Lock what these lines change, in id order, and read the rest; one ledger or ValueError.

    A hold and its release change only the debit account, so a kitchen's account isn't a
    bottleneck for bookings.
    """
    ids = {line.debit for line in lines} | {line.credit for line in lines}
    moving = {line.debit for line in lines} | {
        line.credit for line in lines if line.phase in {Phase.POSTED, Phase.POST}
    }
    accounts = lock(Account.objects.exclude(kind__in=Account.OPEN_ENDED), moving)
    if len(accounts) < len(ids):
        accounts |= Account.objects.in_bulk(ids - accounts.keys())
    if len(accounts) < len(ids):
        raise NotFound
    if len({account.ledger_id for account in accounts.values()}) != 1:
        raise ValueError("a posting stays inside one ledger")
    return accounts


def _judge(entry: Entry, accounts: dict[int, Account]) -> list[Account]:
    """Raise the refusal that applies, or return the locked accounts that will change.

    Works on a scratch copy of the numbers: nothing is changed yet.
    """
    state = {pk: [a.balance, a.held] for pk, a in accounts.items()}
    touched: dict[int, Account] = {}
    if entry.reverses is not None and Posting.objects.filter(reverses_id=entry.reverses).exists():
        raise AlreadyReversed
    for line in entry.lines:
        debit, credit = accounts[line.debit], accounts[line.credit]
        if line.pending_of is not None:
            done = Transfer.objects.filter(pending_of_id=line.pending_of).first()
            if done is not None:
                raise AlreadyResolved(phase=done.phase)
            if line.amount > line.released:
                raise MoreThanHeld
        elif debit.closed_at is not None or credit.closed_at is not None:
            raise AccountClosed
        if debit.locked:
            _take(debit, state[debit.pk], line)
            touched[debit.pk] = debit
        elif line.phase != Phase.POSTED:
            raise ValueError("only accounts that keep a balance can be held")
        if credit.locked and line.phase in {Phase.POSTED, Phase.POST}:
            state[credit.pk][0] += line.amount
            touched[credit.pk] = credit
    return [touched[pk] for pk in sorted(touched)]


def _take(debit: Account, state: list[int], line: Line) -> None:
    """Take one line from the scratch numbers [balance, held] of its debit account."""
    balance, held = state
    if line.phase in {Phase.POSTED, Phase.PENDING}:
        free = balance - held
        if line.phase == Phase.POSTED and held == 0:
            free -= debit.floor or 0
        unlimited = debit.floor is None and line.phase == Phase.POSTED
        if not unlimited and line.amount > free:
            raise InsufficientCredits(
                available=credits_text(max(0, free)), needed=credits_text(line.amount)
            )
    if line.phase in {Phase.POSTED, Phase.POST}:
        state[0] -= line.amount
    state[1] += line.amount if line.phase == Phase.PENDING else -line.released


def _apply(entry: Entry, accounts: dict[int, Account], posting: Posting) -> list[Transfer]:
    """Move the numbers on the locked accounts and build the rows that say so."""
    rows = []
    for line in entry.lines:
        debit, credit = accounts[line.debit], accounts[line.credit]
        moves = line.phase in {Phase.POSTED, Phase.POST}
        row = Transfer(
            posting=posting,
            debit=debit,
            credit=credit,
            amount=line.amount,
            phase=line.phase,
            pending_of_id=line.pending_of,
            at=posting.at,
        )
        if debit.locked:
            if moves:
                debit.balance -= line.amount
                debit.spent_total += line.amount
            debit.held += line.amount if line.phase == Phase.PENDING else -line.released
            row.debit_balance, row.debit_spent_total = debit.balance, debit.spent_total
        if credit.locked and moves:
            credit.balance += line.amount
            credit.received_total += line.amount
            row.credit_balance = credit.balance
            row.credit_received_total = credit.received_total
        rows.append(row)
    return rows


def _insert_posting(entry: Entry, ledger_id: int, digest: str, at: datetime) -> Posting | None:
    """Insert the posting, or return None when its key is taken (waiting for a twin in flight)."""
    posting = Posting(
        ledger_id=ledger_id,
        actor=entry.actor,
        scope=entry.scope,
        key=entry.key,
        payload_hash=digest,
        salt=secrets.token_hex(16),
        reason=entry.reason,
        memo=entry.memo,
        source_type=entry.source[0],
        source_id=entry.source[1],
        rule_version=entry.rule_version,
        reverses_id=entry.reverses,
        at=at,
    )
    fields = [field for field in Posting._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = [
        field.get_db_prep_save(getattr(posting, field.attname), connection) for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(Posting._meta.db_table)} ({columns}) VALUES ({marks}) "  # noqa: S608
            "ON CONFLICT (scope, key) DO NOTHING RETURNING id",
            values,
        )
        row = cursor.fetchone()
    if row is None:
        return None
    posting.pk = row[0]
    posting._state.adding = False
    return posting


def _first_outcome(entry: Entry, digest: str) -> tuple[Posting, list[Transfer]] | None:
    """Return what this key did before; raise KeyReused when it said something else."""
    posting = Posting.objects.filter(scope=entry.scope, key=entry.key).first()
    if posting is None:
        return None
    if posting.payload_hash != digest:
        raise KeyReused
    return posting, list(posting.transfers.order_by("pk"))
