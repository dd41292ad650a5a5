"""Import a community's members from CSV."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from common.unit_of_work import unit_of_work
from grids.people.members_csv import Fault, Unreadable, read_members
from grids.people.services import ImportRefused, import_members
from grids.places.models import Community

_SHOWN = 50


class Command(BaseCommand):
    """Read members, all or nothing, errors by row and column."""

    help = "Import members from CSV with the columns name, phone, address, language, class."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="CODE")
        parser.add_argument("--dry-run", action="store_true", help="check only, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        community = Community.objects.filter(code=options["community"]).first()
        if community is None:
            known = ", ".join(Community.objects.values_list("code", flat=True)[:20])
            raise CommandError(
                f"There is no community with the code {options['community']!r}. Known: {known}."
            )
        try:
            reading = read_members(path)
        except Unreadable as error:
            raise CommandError(f"{path}: {error}") from error
        if reading.ignored:
            self.stderr.write(f"{path}: columns not read: {', '.join(reading.ignored)}")
        faults = list(reading.faults)
        count = 0
        try:
            # Rows with faults are left out here, so that all faults are told at once.
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("Importing members", total=len(reading.rows))
                with unit_of_work() as work:
                    count = import_members(
                        rows=reading.rows,
                        community=community,
                        actor=None,
                        now=work.now,
                        progress=lambda done: bar.advance(task, done),
                        dry_run=options["dry_run"] or bool(faults),
                    )
        except ImportRefused as error:
            faults += error.faults
        if faults:
            self._refuse(path, sorted(faults, key=lambda fault: fault.row))
        if options["dry_run"]:
            self.stdout.write(f"{count} members can be imported; nothing written.")
        else:
            self.stdout.write(f"{count} members imported into {community.name}.")

    def _refuse(self, path: Path, faults: list[Fault]) -> None:
        for fault in faults[:_SHOWN]:
            self.stderr.write(f"{path}: {fault}")
        if len(faults) > _SHOWN:
            self.stderr.write(f"… and {len(faults) - _SHOWN} more")
        raise CommandError(f"{len(faults)} faults; nothing was imported.")
