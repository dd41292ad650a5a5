"""The only code that moves credits: post, hold, resolve, reverse.

These are the engine's verbs. Whether the actor may do the deed is decided by the service that
calls them (approving hours, booking, charging, giving); here it is decided whether the books
can bear it. They need an open unit of work and lock accounts last, in id order.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, KeyReused, NotFound
from common.locks import lock
from common.money import credits_text
from common.unit_of_work import current
from grids.people.models import Household, Member, Organisation
from grids.places.models import Community
from timebank.ledger.canonical import payload_hash
from timebank.ledger.events import record_change
from timebank.ledger.models import Account, Ledger, Posting, Transfer

Phase = Transfer.Phase
MOST = 10**14  # hundredths in one transfer; far above any community's books


class InsufficientCredits(DomainError):
    """The payer's available credits don't cover it; `available` is a string of credits."""

    code = "insufficient_credits"
    detail = _("There are not enough credits on the account.")


class AlreadyResolved(DomainError):
    """The hold was paid, released or expired before; `phase` says which."""

    code = "already_resolved"
    detail = _("This hold was settled already.")


class AlreadyReversed(DomainError):
    """The posting was corrected before; a posting is reversed once."""

    code = "already_reversed"
    detail = _("This posting was corrected already.")


class NotReversible(DomainError):
    """The posting only holds or releases credits: void the hold instead."""

    code = "not_reversible"
    detail = _("A hold is released, not corrected.")


class MoreThanHeld(DomainError):
    """A hold can't be paid beyond its amount."""

    code = "more_than_held"
    detail = _("This is more than the amount held.")


class AccountClosed(DomainError):
    """The account belongs to somebody who left."""

    code = "account_closed"
    detail = _("This account is closed.")


@dataclass(frozen=True)
class Move:
    """`amount` hundredths from account `debit` to account `credit`; ids of one ledger.

    `phase` is "posted" (now) or "pending" (a hold on the debit account).
    """

    debit: int
    credit: int
    amount: int
    phase: str = Phase.POSTED


@dataclass(frozen=True)
class _Line:
    debit: int
    credit: int
    amount: int
    phase: str
    pending_of: int | None = None
    released: int = 0


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What one posting says, before it is judged."""

    actor: Member | None
    key: str
    reason: str
    lines: Sequence[_Line]
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


def post(
    *,
    actor: Member | None,
    key: str,
    reason: str,
    moves: Iterable[Move],
    now: datetime,
    memo: str = "",
    source: tuple[str, int | None] = ("", None),
    rule_version: int | None = None,
) -> Posting:
    """Write one posting; it stands or falls whole.

    The same actor, key and payload return the first posting without a second effect. Moves are
    judged in the order given. Raises KeyReused, InsufficientCredits, AccountClosed, NotFound.
    """
    lines = [_Line(m.debit, m.credit, m.amount, m.phase) for m in moves]
    if not all(line.phase in {Phase.POSTED, Phase.PENDING} for line in lines):
        raise ValueError("post() takes posted and pending moves; resolve() settles holds")
    entry = _Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=lines,
        memo=memo,
        source=source,
        rule_version=rule_version,
    )
    return _write(entry, now)[0]


def hold(
    *,
    actor: Member | None,
    key: str,
    debit: int,
    credit: int,
    amount: int,
    now: datetime,
    source: tuple[str, int | None],
    memo: str = "",
    reason: str = Posting.Reason.BOOKED,
) -> Transfer:
    """Hold `amount` of the debit account for the credit account; return the pending transfer.

    Holds never draw on an overdraft. Raises as `post` does.
    """
    entry = _Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=[_Line(debit, credit, amount, Phase.PENDING)],
        memo=memo,
        source=source,
    )
    return _write(entry, now)[1][0]


def resolve(
    *,
    actor: Member | None,
    key: str,
    pending_id: int,
    phase: str,
    now: datetime,
    reason: str,
    amount: int | None = None,
    memo: str = "",
    source: tuple[str, int | None] | None = None,
) -> Posting:
    """Settle a hold exactly once: "post" pays up to its amount and releases the rest,
    "void" and "expire" release all of it.

    `source` is the hold's own unless given. Raises AlreadyResolved, MoreThanHeld, NotFound.
    """
    if phase not in {Phase.POST, Phase.VOID, Phase.EXPIRE}:
        raise ValueError(f"a hold is settled by post, void or expire, not {phase}")
    pending = (
        Transfer.objects.select_related("posting")
        .filter(pk=pending_id, phase=Phase.PENDING)
        .first()
    )
    if pending is None:
        raise NotFound
    paid = pending.amount if amount is None or phase != Phase.POST else amount
    line = _Line(
        pending.debit_id,
        pending.credit_id,
        paid,
        phase,
        pending_of=pending.pk,
        released=pending.amount,
    )
    origin = pending.posting
    entry = _Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=[line],
        memo=memo,
        source=source or (origin.source_type, origin.source_id),
    )
    return _write(entry, now)[0]


def reverse(
    *, actor: Member | None, key: str, posting_id: int, reason_text: str, now: datetime
) -> Posting:
    """Correct a posting by a new one that moves everything back and names it; once.

    `reason_text` is what the people concerned read. Raises AlreadyReversed, NotReversible,
    InsufficientCredits (what was received is spent already), NotFound.
    """
    original = Posting.objects.filter(pk=posting_id).first()
    if original is None:
        raise NotFound
    moved = original.transfers.filter(phase__in=[Phase.POSTED, Phase.POST]).order_by("-pk")
    lines = [_Line(t.credit_id, t.debit_id, t.amount, Phase.POSTED) for t in moved]
    if not lines:
        raise NotReversible
    entry = _Entry(
        actor=actor,
        key=key,
        reason=Posting.Reason.REVERSED,
        lines=lines,
        memo=reason_text,
        source=(original.source_type, original.source_id),
        reverses=original.pk,
    )
    return _write(entry, now)[0]


def _write(entry: _Entry, now: datetime) -> tuple[Posting, list[Transfer]]:
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


def _check_shape(entry: _Entry) -> None:
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


def _lock_accounts(lines: Sequence[_Line]) -> dict[int, Account]:
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


def _judge(entry: _Entry, accounts: dict[int, Account]) -> list[Account]:
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


def _take(debit: Account, state: list[int], line: _Line) -> None:
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


def _apply(entry: _Entry, accounts: dict[int, Account], posting: Posting) -> list[Transfer]:
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


def _insert_posting(entry: _Entry, ledger_id: int, digest: str, at: datetime) -> Posting | None:
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


def _first_outcome(entry: _Entry, digest: str) -> tuple[Posting, list[Transfer]] | None:
    """Return what this key did before; raise KeyReused when it said something else."""
    posting = Posting.objects.filter(scope=entry.scope, key=entry.key).first()
    if posting is None:
        return None
    if posting.payload_hash != digest:
        raise KeyReused
    return posting, list(posting.transfers.order_by("pk"))
