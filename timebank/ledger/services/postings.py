"""The verbs that move credits: post, hold, resolve, reverse.

Whether the actor may do the deed is decided by the service that calls these (approving hours,
booking, charging, giving); here it is decided whether the books can bear it. They need an open
unit of work and lock accounts last, in id order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from common.errors import NotFound
from grids.people.models import Member
from timebank.ledger.models import Posting, Transfer
from timebank.ledger.services.engine import Entry, Line, write
from timebank.ledger.services.refusals import NotReversible

Phase = Transfer.Phase


@dataclass(frozen=True)
class Move:
    """`amount` hundredths from account `debit` to account `credit`; ids of one ledger.

    `phase` is "posted" (now) or "pending" (a hold on the debit account).
    """

    debit: int
    credit: int
    amount: int
    phase: str = Phase.POSTED


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
    lines = [Line(m.debit, m.credit, m.amount, m.phase) for m in moves]
    if not all(line.phase in {Phase.POSTED, Phase.PENDING} for line in lines):
        raise ValueError("post() takes posted and pending moves; resolve() settles holds")
    entry = Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=lines,
        memo=memo,
        source=source,
        rule_version=rule_version,
    )
    return write(entry, now)[0]


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
    entry = Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=[Line(debit, credit, amount, Phase.PENDING)],
        memo=memo,
        source=source,
    )
    return write(entry, now)[1][0]


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
    line = Line(
        pending.debit_id,
        pending.credit_id,
        paid,
        phase,
        pending_of=pending.pk,
        released=pending.amount,
    )
    origin = pending.posting
    entry = Entry(
        actor=actor,
        key=key,
        reason=reason,
        lines=[line],
        memo=memo,
        source=source or (origin.source_type, origin.source_id),
    )
    return write(entry, now)[0]


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
    lines = [Line(t.credit_id, t.debit_id, t.amount, Phase.POSTED) for t in moved]
    if not lines:
        raise NotReversible
    entry = Entry(
        actor=actor,
        key=key,
        reason=Posting.Reason.REVERSED,
        lines=lines,
        memo=reason_text,
        source=(original.source_type, original.source_id),
        reverses=original.pk,
    )
    return write(entry, now)[0]
