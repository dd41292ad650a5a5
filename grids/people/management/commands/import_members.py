"""Import a community's members from CSV or XLSX."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.unit_of_work import unit_of_work
from grids.people.members_file import read_members
from grids.people.services import Duplicates, import_members, plan_members
from grids.places import geocode
from grids.places.findings import Level
from grids.places.imports import FileCommand, bar
from grids.places.models import Community
from grids.places.wording import line


class Command(FileCommand):
    """Read members, all or nothing, errors by row and column."""

    help = "Import members from CSV or XLSX: columns name, phone, address, language, class."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--duplicates",
            choices=[choice.value for choice in Duplicates],
            default=Duplicates.REFUSE.value,
            help="what to do with members who are there already",
        )
        parser.add_argument(
            "--leave-unknown-homes",
            action="store_true",
            help="take in members whose address no building has, without a home",
        )

    def take(self, community: Community, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        reading = read_members(path)
        if reading.ignored:
            self.stderr.write(f"{path}: columns not read: {', '.join(reading.ignored)}")
        choices = {
            "duplicates": Duplicates(options["duplicates"]),
            "leave_unknown_homes": options["leave_unknown_homes"],
            "located": geocode.homes(community, [row.address for row in reading.rows]),
        }
        # Rows with faults are left out here, so that all faults are told at once.
        plan = plan_members(rows=reading.rows, community=community, **choices)
        findings = reading.findings
        for one in plan.findings.kept():
            findings.append(one)
        self.tell(path, findings, options["report"])
        if findings.errors:
            whole = [one for one in findings.kept(Level.ERROR) if one.row == 0]
            if whole:
                raise CommandError(f"{path}: {line(whole[0], unit='row')} Nothing was imported.")
            raise CommandError(f"{findings.errors} faults; nothing was imported.")
        if options["dry_run"]:
            count = len(plan.add) + len(plan.update)
            self.stdout.write(f"{count} members can be imported; nothing written.")
            return
        with bar() as shown:
            task = shown.add_task("Importing members", total=len(plan.add) + len(plan.update))
            with unit_of_work() as work:
                done = import_members(
                    rows=reading.rows,
                    community=community,
                    actor=None,
                    now=work.now,
                    progress=lambda count: shown.advance(task, count),
                    **choices,
                )
        said = f"{done.added} members imported into {community.name}"
        if done.changed or done.skipped:
            said += f", {done.changed} changed, {done.skipped} skipped"
        self.stdout.write(f"{said}.")
