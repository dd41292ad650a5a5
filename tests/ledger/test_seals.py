"""Seals, and the proof that a line is under one."""

import hashlib
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings

from common import jobs
from common.unit_of_work import unit_of_work
from tests.factories import NOW, Town
from tests.ledger.factories import member_account
from timebank.ledger import canonical, merkle, seals
from timebank.ledger.models import Seal, SealLeaf, Transfer
from timebank.ledger.seals import proof_of, seal_ledger, verify_proof
from timebank.ledger.services import Move, post

# From the test vectors of RFC 6962's reference implementation (leaves and roots, in hex).
LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_roots_are_those_of_rfc_6962() -> None:
    digests = [merkle.leaf_digest(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert {size: merkle.root(digests[:size]).hex() for size in ROOTS} == ROOTS
    assert merkle.root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_every_leaf_proves_itself_and_nothing_else(size: int) -> None:
    digests = [merkle.leaf_digest(bytes([number])) for number in range(size)]
    root = merkle.root(digests)
    for index, digest in enumerate(digests):
        path = merkle.path(digests, index)
        assert merkle.root_from_path(digest, index=index, size=size, path=path) == root
        for other in range(-1, size + 1):
            if other != index:
                found = merkle.root_from_path(digest, index=other, size=size, path=path)
                assert found != root
        assert merkle.root_from_path(digest, index=index, size=size, path=[*path, root]) is None


def test_the_documented_bytes_are_the_bytes() -> None:
    text = (Path(settings.BASE_DIR) / "docs" / "ledger-format.md").read_text()
    leaf, seal = re.findall(r"```text\n(linli-(?:leaf|seal)/1\n.*?)```", text, re.DOTALL)
    written = canonical.leaf_text(
        ledger=1, transfer=12, posting=10, debit=4, debit_owner="member:7", credit=9,
        credit_owner=canonical.owner_text("partner", None, None, 3), amount=150, phase="posted",
        pending_of=None, at=NOW, reverses=None,
        payload="5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        salt="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    )  # fmt: skip
    assert leaf == written
    digest = canonical.seal_digest(
        ledger=1, number=2, root=ROOTS[1], previous="0" * 64, leaves=1,
        at=datetime(2026, 6, 2, tzinfo=UTC),
    )  # fmt: skip
    assert hashlib.sha256(seal.encode()).hexdigest() == digest


@pytest.mark.django_db
def test_a_seal_takes_what_no_seal_holds(town: Town) -> None:
    with unit_of_work():
        a, b = member_account(town.community, amount=100), member_account(town.community)
        first = seal_ledger(ledger=a.ledger, now=NOW)
        assert first is not None
        assert (first.number, first.leaves, first.previous) == (1, 1, "0" * 64)
        assert seal_ledger(ledger=a.ledger, now=NOW) is None
        for number in range(4):
            post(actor=None, key=f"p{number}", reason="given", moves=[Move(a.pk, b.pk, 1)], now=NOW)
        second = seal_ledger(ledger=a.ledger, now=NOW + timedelta(days=1))
        assert second is not None
    assert (second.number, second.leaves, second.previous) == (2, 4, first.digest)
    assert SealLeaf.objects.count() == Transfer.objects.count()
    for transfer in Transfer.objects.all():
        proof = proof_of(transfer)
        assert proof is not None
        assert verify_proof(proof)
        assert f"transfer {transfer.pk}\n" in proof["leaf"]
        forged = deepcopy(proof)
        forged["leaf"] = proof["leaf"].replace("amount 1", "amount 2")
        assert not verify_proof(forged)
        forged = deepcopy(proof)
        forged["seal"]["leaves"] += 1
        assert not verify_proof(forged)


@pytest.mark.django_db
def test_an_unsealed_transfer_has_no_proof(town: Town) -> None:
    with unit_of_work():
        member_account(town.community, amount=100)
    assert proof_of(Transfer.objects.get()) is None


@pytest.mark.django_db
def test_the_daily_job_seals_all_in_bounded_pieces(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MOST_LEAVES", 2)
    with unit_of_work():
        for _number in range(5):
            member_account(town.community, amount=100)
    jobs.registered["seal the ledgers"].run(NOW)
    assert list(Seal.objects.order_by("number").values_list("leaves", flat=True)) == [2, 2, 1]
    jobs.registered["seal the ledgers"].run(NOW)
    assert Seal.objects.count() == 3
