"""What the import commands share: check, report by row, write all or nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from common.spreadsheets import csv_text
from common.unit_of_work import unit_of_work
from grids.places.checking import MAP_IMPORTS, checked_file
from grids.places.datum import DATUMS
from grids.places.findings import Findings, Level
from grids.places.models import Community
from grids.places.wording import line, table

_SHOWN = 50


class FileCommand(BaseCommand):
    """Base of all imports from a file: its arguments, its report, its progress bar."""

    unit = "row"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="CODE")
        parser.add_argument("--dry-run", action="store_true", help="check only, write nothing")
        parser.add_argument(
            "--report", type=Path, metavar="CSV", help="write everything found to this file"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # A terminal reads English here, as in all commands; pages have the reader's language.
        with translation.override("en"):
            self.take(self._community(options["community"]), options)

    def take(self, community: Community, options: dict[str, Any]) -> None:
        """Import `options["file"]`; a subclass says how."""
        raise NotImplementedError

    def _community(self, code: str) -> Community:
        community = Community.objects.filter(code=code).first()
        if community is None:
            known = ", ".join(Community.objects.values_list("code", flat=True)[:20])
            raise CommandError(f"There is no community with the code {code!r}. Known: {known}.")
        return community

    def tell(self, path: Path, findings: Findings, report: Path | None) -> None:
        """Print what was found, errors to stderr, and write the whole report if asked."""
        for level in (Level.REPAIRED, Level.WARNING, Level.DUPLICATE, Level.ERROR):
            out = self.stderr if level is not Level.REPAIRED else self.stdout
            for one in findings.kept(level)[:_SHOWN]:
                prefix = "" if level in {Level.ERROR, Level.REPAIRED} else f"{level.value}: "
                out.write(f"{path}: {prefix}{line(one, unit=self.unit)}")
            if findings.counts[level] > _SHOWN:
                out.write(f"… and {findings.counts[level] - _SHOWN} more")
        if report is not None:
            report.write_text(csv_text(table(findings.kept(), name=path.name)), encoding="utf-8")


def bar() -> Progress:
    """Return a progress bar on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class MapCommand(FileCommand):
    """Base of the GeoJSON imports; a subclass sets `what`."""

    what = ""
    unit = "feature"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--datum",
            choices=DATUMS,
            default="wgs84",
            help="gcj02 for data from Chinese maps, which lie about 500 m off; bd09 for Baidu's",
        )
        parser.add_argument(
            "--swap", action="store_true", help="positions are written latitude first"
        )

    def take(self, community: Community, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        how = MAP_IMPORTS[self.what]
        with bar() as shown:
            reading = shown.add_task("Checking", total=_size(path))
            check: AbstractContextManager[Any] = checked_file(
                path,
                how.kind,
                community,
                datum=options["datum"],
                swap=options["swap"],
                progress=_advance(shown, reading),
            )
            with check as found:
                self.tell(path, found.findings, options["report"])
                if not found.good:
                    raise CommandError(_refusal(path, found.findings))
                if options["dry_run"]:
                    self.stdout.write(
                        f"{found.rows.count} {self.what} can be imported; nothing written."
                    )
                    return
                writing = shown.add_task(f"Importing {self.what}", total=found.rows.count)
                with unit_of_work():
                    done = how.write(
                        community=community,
                        rows=found.rows,
                        actor=None,
                        progress=_advance(shown, writing),
                    )
                self.stdout.write(
                    f"{self.what}: {done.added} added, {done.changed} changed, "
                    f"{found.findings.counts[Level.REPAIRED]} repaired."
                )


def _refusal(path: Path, findings: Findings) -> str:
    whole = [one for one in findings.kept(Level.ERROR) if one.row == 0]
    if whole:
        return f"{path}: {line(whole[0], unit='feature')} Nothing was imported."
    return f"{findings.errors} features refused; nothing was imported."


def _advance(shown: Progress, task: Any) -> Callable[[int], None]:
    return lambda count: shown.advance(task, count)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
