"""What `import_buildings` and `import_streets` share: read, report, write all or nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from common.unit_of_work import unit_of_work
from grids.places.geojson import Reading, Unreadable, read_features
from grids.places.models import Community
from grids.places.services import Imported

_SHOWN = 50


class ImportCommand(BaseCommand):
    """Base of the GeoJSON imports; a subclass sets `what`, `read` and `write`."""

    what = ""
    read: Callable[..., Reading[Any]]
    write: Callable[..., Imported]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="CODE")
        parser.add_argument(
            "--datum",
            choices=["wgs84", "gcj02"],
            default="wgs84",
            help="gcj02 for data from Chinese maps, which lie about 500 m off",
        )
        parser.add_argument("--dry-run", action="store_true", help="check only, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        community = Community.objects.filter(code=options["community"]).first()
        if community is None:
            raise CommandError(
                f"There is no community with the code {options['community']!r}. "
                f"Known: {', '.join(Community.objects.values_list('code', flat=True)[:20])}."
            )
        try:
            reading = type(self).read(read_features(path), datum=options["datum"])
        except Unreadable as error:
            raise CommandError(f"{path}: {error}") from error
        for note in reading.repaired[:_SHOWN]:
            self.stdout.write(f"{path}: {note}")
        if reading.errors:
            for fault in reading.errors[:_SHOWN]:
                self.stderr.write(f"{path}: {fault}")
            if len(reading.errors) > _SHOWN:
                self.stderr.write(f"… and {len(reading.errors) - _SHOWN} more")
            raise CommandError(f"{len(reading.errors)} features refused; nothing was imported.")
        if reading.rows and not any(getattr(row, "dwellings", 1) for row in reading.rows):
            self.stderr.write(
                'Note: no building has households. Cells are drawn from the property "dwellings" '
                '(or "dwellings_est").'
            )
        if options["dry_run"]:
            self.stdout.write(f"{len(reading.rows)} {self.what} can be imported; nothing written.")
            return
        with Progress(console=Console(stderr=True), transient=True) as bar, unit_of_work():
            task = bar.add_task(f"Importing {self.what}", total=len(reading.rows))
            done = type(self).write(
                community=community,
                rows=reading.rows,
                actor=None,
                progress=lambda count: bar.advance(task, count),
            )
        self.stdout.write(
            f"{self.what}: {done.added} added, {done.changed} changed, "
            f"{len(reading.repaired)} repaired."
        )
