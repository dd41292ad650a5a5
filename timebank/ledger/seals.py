"""Seals: daily Merkle roots over every transfer, and the proof for each line of a statement.

docs/ledger-format.md describes the bytes for programs that check proofs.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, TypedDict

from common.locks import lock
from common.unit_of_work import current, unit_of_work
from timebank.ledger import merkle
from timebank.ledger.canonical import FIRST_PREVIOUS, instant, leaf_text, owner_text, seal_digest
from timebank.ledger.models import Ledger, Seal, SealLeaf, Transfer

MOST_LEAVES = 100_000
_BATCH = 2_000
_OWNERS = [
    f"{side}__{column}"
    for side in ("debit", "credit")
    for column in ("kind", "member_id", "household_id", "organisation_id")
]
LEAF_COLUMNS = [
    "posting__ledger_id", "pk", "posting_id", "debit_id", "credit_id", "amount", "phase",
    "pending_of_id", "at", "posting__reverses_id", "posting__payload_hash", "posting__salt",
    *_OWNERS,
]  # fmt: skip


class SealFacts(TypedDict):
    """A seal as it is published."""

    ledger: int
    number: int
    root: str
    previous: str
    leaves: int
    at: str
    digest: str


class Proof(TypedDict):
    """That `leaf` stands at `index` under `seal`: hash it and fold it up `path`."""

    leaf: str
    index: int
    path: list[str]
    seal: SealFacts


def leaf_of(row: tuple[Any, ...]) -> str:
    """Write the leaf of one row of LEAF_COLUMNS."""
    return leaf_text(
        ledger=row[0],
        transfer=row[1],
        posting=row[2],
        debit=row[3],
        debit_owner=owner_text(*row[12:16]),
        credit=row[4],
        credit_owner=owner_text(*row[16:20]),
        amount=row[5],
        phase=row[6],
        pending_of=row[7],
        at=row[8],
        reverses=row[9],
        payload=row[10],
        salt=row[11],
    )


def seal_ledger(*, ledger: Ledger, now: datetime) -> Seal | None:
    """Seal every committed transfer that no seal holds yet, or return None when there is none.

    At most MOST_LEAVES at a time, so that memory stays bounded: call again until None. What is
    sealed is chosen by absence from SealLeaf, never by time or id: a late commit is not missed.
    """
    current()
    lock(Ledger.objects.all(), [ledger.pk])
    rows = (
        Transfer.objects.filter(posting__ledger=ledger, seal_leaf__isnull=True)
        .order_by("pk")
        .values_list(*LEAF_COLUMNS)[:MOST_LEAVES]
    )
    leaves: list[tuple[int, bytes]] = [
        (row[1], merkle.leaf_digest(leaf_of(row).encode()))
        for row in rows.iterator(chunk_size=_BATCH)
    ]
    if not leaves:
        return None
    last = Seal.objects.filter(ledger=ledger).order_by("-number").first()
    number, previous = (last.number + 1, last.digest) if last else (1, FIRST_PREVIOUS)
    root = merkle.root(digest for _pk, digest in leaves).hex()
    seal = Seal.objects.create(
        ledger=ledger,
        number=number,
        root=root,
        previous=previous,
        leaves=len(leaves),
        at=now,
        digest=seal_digest(
            ledger=ledger.pk,
            number=number,
            root=root,
            previous=previous,
            leaves=len(leaves),
            at=now,
        ),
    )
    SealLeaf.objects.bulk_create(
        (
            SealLeaf(transfer_id=pk, seal=seal, index=index, digest=digest.hex())
            for index, (pk, digest) in enumerate(leaves)
        ),
        batch_size=_BATCH,
    )
    return seal


def seal_all(now: datetime) -> None:
    """Seal every ledger up to now: the daily job."""
    for ledger in Ledger.objects.order_by("pk"):
        while True:
            with unit_of_work(now=now):
                if seal_ledger(ledger=ledger, now=now) is None:
                    break


def facts(seal: Seal) -> SealFacts:
    """Return a seal as it is published."""
    return {
        "ledger": seal.ledger_id,
        "number": seal.number,
        "root": seal.root,
        "previous": seal.previous,
        "leaves": seal.leaves,
        "at": instant(seal.at),
        "digest": seal.digest,
    }


def proof_of(transfer: Transfer) -> Proof | None:
    """Return the inclusion proof of one transfer, or None while it isn't sealed."""
    return next(iter(proofs_of([transfer.pk]).values()), None)


def proofs_of(transfer_ids: Iterable[int]) -> dict[int, Proof]:
    """Return the proofs of those of these transfers that are sealed, by transfer id."""
    wanted = list(transfer_ids)
    texts = {
        row[1]: leaf_of(row)
        for row in Transfer.objects.filter(pk__in=wanted).values_list(*LEAF_COLUMNS)
    }
    places: dict[Seal, list[SealLeaf]] = {}
    for leaf in SealLeaf.objects.filter(transfer_id__in=wanted).select_related("seal"):
        places.setdefault(leaf.seal, []).append(leaf)
    return dict(_proofs(places, texts))


def _proofs(
    places: dict[Seal, list[SealLeaf]], texts: dict[int, str]
) -> Iterator[tuple[int, Proof]]:
    for seal, leaves in places.items():
        stored = seal.seal_leaves.order_by("index").values_list("digest", flat=True)
        digests = [bytes.fromhex(digest) for digest in stored]
        for leaf in leaves:
            yield (
                leaf.transfer_id,
                {
                    "leaf": texts[leaf.transfer_id],
                    "index": leaf.index,
                    "path": [step.hex() for step in merkle.path(digests, leaf.index)],
                    "seal": facts(seal),
                },
            )


def verify_proof(proof: Proof) -> bool:
    """Say whether the leaf is under the seal's root and the seal's digest is its own.

    Compare `seal.digest` with the published one yourself: that is what makes it a proof.
    """
    seal = proof["seal"]
    folded = merkle.root_from_path(
        merkle.leaf_digest(proof["leaf"].encode()),
        index=proof["index"],
        size=seal["leaves"],
        path=[bytes.fromhex(step) for step in proof["path"]],
    )
    if folded is None or folded.hex() != seal["root"]:
        return False
    digest = seal_digest(
        ledger=seal["ledger"],
        number=seal["number"],
        root=seal["root"],
        previous=seal["previous"],
        leaves=seal["leaves"],
        at=datetime.fromisoformat(seal["at"]),
    )
    return digest == seal["digest"]
