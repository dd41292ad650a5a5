"""Postings a second through the ledger, beside the plainest thing that moves money.

On PostgreSQL: `pgbench` TPC-B, prepared, on the same server and with as many clients. On SQLite:
the same double entry by the bare ORM. Both run in a scratch database, in the same run.

    python -m bench.ledger
"""

import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from django.db import connection, connections, transaction

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.places.models import Community
from timebank.ledger.models import Account, Posting, Transfer
from timebank.ledger.services import Move, ensure_account, post
from timebank.ledger.verify import verify

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ACCOUNTS = 200


@contextmanager
def scratch_database() -> Iterator[None]:
    """Create an empty database beside the configured one, and drop it afterwards."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _build() -> list[int]:
    """Open accounts with plenty on them; return their ids."""
    community = Community.objects.create(code="bench", name="bench", path="/1/")
    members = Member.objects.bulk_create(
        Member(display_name=f"m{number}", community=community, joined_at=NOW)
        for number in range(ACCOUNTS)
    )
    ids = []
    with unit_of_work(now=NOW):
        issue = ensure_account(community=community, kind="issue", now=NOW)
        for member in members:
            account = ensure_account(community=community, kind="member", member=member, now=NOW)
            moves = [Move(issue.pk, account.pk, 10**9)]
            post(actor=None, key=f"open{account.pk}", reason="opening", moves=moves, now=NOW)
            ids.append(account.pk)
    return ids


def _through_the_ledger(debit: int, credit: int, key: str) -> None:
    with unit_of_work(now=NOW) as work:
        moves = [Move(debit, credit, 1)]
        post(actor=None, key=key, reason="given", moves=moves, now=work.now)


def _bare_orm(debit: int, credit: int, key: str) -> None:
    """Two row locks, three inserts, two updates: no key, no guard, no event."""
    with transaction.atomic():
        rows = Account.objects.select_for_update().in_bulk([debit, credit])
        posting = Posting.objects.create(
            ledger_id=rows[debit].ledger_id, scope="bare", key=key, reason="given", at=NOW
        )
        for account, other, amount in ((rows[debit], credit, -1), (rows[credit], debit, 1)):
            Transfer.objects.create(
                posting=posting, debit_id=account.pk, credit_id=other, amount=1, at=NOW
            )
            account.balance += amount
            account.save(update_fields=["balance"])


def _loop(
    act: Callable[[int, int, str], None], ids: list[int], seconds: float, seed: int
) -> tuple[int, float]:
    chance = random.Random(seed)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        debit, credit = chance.sample(ids, 2)
        act(debit, credit, f"{seed}:{done}:{act.__name__}")
        done += 1
    return done, time.perf_counter() - start


def _worker(ids: list[int], seconds: float, seed: int, results: Any) -> None:
    connections.close_all()
    results.put(_loop(_through_the_ledger, ids, seconds, seed))
    connections.close_all()


def _by_processes(ids: list[int], seconds: float, clients: int) -> float:
    """Return postings a second of this many processes together."""
    connections.close_all()
    if hasattr(connection, "close_pool"):
        connection.close_pool()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [
        context.Process(target=_worker, args=(ids, seconds, seed, results))
        for seed in range(clients)
    ]
    for worker in workers:
        worker.start()
    counts = [results.get(timeout=seconds + 60) for _worker_ in workers]
    for worker in workers:
        worker.join()
    return sum(done / took for done, took in counts)


def _pgbench(seconds: float, clients: int) -> float:
    """Return TPC-B transactions a second (scale 10, prepared) in the scratch database."""
    at = connection.settings_dict
    environment = {
        **os.environ,
        "PGHOST": str(at["HOST"]),
        "PGPORT": str(at["PORT"] or 5432),
        "PGUSER": str(at["USER"]),
        "PGPASSWORD": str(at["PASSWORD"]),
    }
    base = str(at["NAME"])

    # Debian keeps pgbench out of the path.
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    program = shutil.which("pgbench") or (str(kept[-1]) if kept else "pgbench")

    def call(*arguments: str) -> str:
        return subprocess.run(
            [program, *arguments, base], env=environment, capture_output=True, text=True,
            check=True,
        ).stdout  # fmt: skip

    call("-i", "-q", "-s", "10")
    said = call("-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(int(seconds)))
    found = re.search(r"tps = ([0-9.]+) \(without", said)
    assert found, said
    return float(found[1])


def _verify() -> tuple[int, float]:
    start = time.perf_counter()
    report = verify()
    assert report.clean, report.faults[:3]
    return report.transfers, report.transfers / (time.perf_counter() - start)


def run(*, seconds: float = 6.0, clients: int = 8) -> dict[str, Any]:
    """Measure both sides in turn; rates per second, and ours as a ratio of the other."""
    with scratch_database():
        ids = _build()
        if connection.vendor == "postgresql":
            ours = _by_processes(ids, seconds, clients)
            transfers, verified = _verify()
            other, name = _pgbench(seconds, clients), "pgbench TPC-B, prepared"
        else:
            clients = 1
            done, took = _loop(_through_the_ledger, ids, seconds, 0)
            ours = done / took
            transfers, verified = _verify()
            done, took = _loop(_bare_orm, ids, seconds, 1)
            other, name = done / took, "bare ORM double entry"
    return {
        "name": "ledger postings",
        "database": connection.vendor,
        "clients": clients,
        "postings_per_second": round(ours),
        "against": name,
        "against_per_second": round(other),
        "ratio": round(ours / other, 3),
        "verified_transfers": transfers,
        "verified_per_second": round(verified),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
