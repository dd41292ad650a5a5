"""`manage.py verify_ledger`: recompute the books and name every fault."""

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from grids.places.models import Community
from timebank.ledger.verify import verify


class Command(BaseCommand):
    """Exit 0 with a summary, or 1 with each fault on a line of its own."""

    help = "Recompute balances, holds, totals and seals from the transfers; name every fault."
    requires_system_checks = []  # a missing guard is a fault to be named with the others

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--community", metavar="CODE", help="only this community's ledgers")

    def handle(self, *args: Any, **options: Any) -> None:
        code = options["community"]
        if code is not None and not Community.objects.filter(code=code).exists():
            raise CommandError(f"There is no community {code!r}.")
        start = time.perf_counter()
        report = verify(code)
        seconds = time.perf_counter() - start
        self.stdout.write(
            f"{report.ledgers} ledgers, {report.accounts} accounts, {report.postings} postings, "
            f"{report.transfers} transfers, {report.seals} seals ({report.sealed} transfers "
            f"sealed) in {seconds:.1f} s"
        )
        for fault in report.faults:
            self.stdout.write(self.style.ERROR(f"FAULT {fault}"))
        if not report.clean:
            self.stdout.write(self.style.ERROR(f"{len(report.faults)} faults"))
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("The books are in order."))
