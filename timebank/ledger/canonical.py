"""The bytes that are hashed: payloads of postings, leaves and seals. No Django here.

docs/ledger-format.md describes them for programs that check proofs; never change them, add a
version instead.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

FIRST_PREVIOUS = "0" * 64
# debit, credit, amount, phase, pending_of
Line = tuple[int, int, int, str, int | None]


def instant(at: datetime) -> str:
    """Write an aware instant in UTC with microseconds: 2026-06-01T06:00:00.000000Z."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def payload_hash(
    *,
    ledger: int,
    scope: str,
    key: str,
    reason: str,
    memo: str,
    source_type: str,
    source_id: int | None,
    rule_version: int | None,
    reverses: int | None,
    lines: Sequence[Line],
) -> str:
    """Hash everything that a posting says, apart from when it was said."""
    payload = [
        "linli-posting/1", ledger, scope, key, reason, memo, source_type, source_id,
        rule_version, reverses, lines,
    ]  # fmt: skip
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def owner_text(
    kind: str, member: int | None, household: int | None, organisation: int | None
) -> str:
    """Name an account's owner without personal data: "member:7", "partner:3", "issue"."""
    owner = member or household or organisation
    return f"{kind}:{owner}" if owner else kind


def leaf_text(
    *,
    ledger: int,
    transfer: int,
    posting: int,
    debit: int,
    debit_owner: str,
    credit: int,
    credit_owner: str,
    amount: int,
    phase: str,
    pending_of: int | None,
    at: datetime,
    reverses: int | None,
    payload: str,
    salt: str,
) -> str:
    """Write one transfer as the thirteen lines that its leaf hashes."""
    return (
        f"linli-leaf/1\nledger {ledger}\ntransfer {transfer}\nposting {posting}\n"
        f"debit {debit} {debit_owner}\ncredit {credit} {credit_owner}\namount {amount}\n"
        f"phase {phase}\npending {pending_of or '-'}\nat {instant(at)}\n"
        f"reverses {reverses or '-'}\npayload {payload}\nsalt {salt}\n"
    )


def seal_digest(
    *, ledger: int, number: int, root: str, previous: str, leaves: int, at: datetime
) -> str:
    """Hash a seal; the next seal names this as its `previous`."""
    text = (
        f"linli-seal/1\nledger {ledger}\nnumber {number}\nroot {root}\n"
        f"previous {previous}\nleaves {leaves}\nat {instant(at)}\n"
    )
    return hashlib.sha256(text.encode()).hexdigest()
