"""Build the demo town, play its story through the API, and show it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from common import clock
from common.models import Audit
from common.unit_of_work import unit_of_work
from config.demo import town
from config.demo.describe import cast_of, describe, sign_in_links
from config.demo.story import Told, server, tell
from config.worker import Worker
from grids.people.models import Member
from grids.places.models import Cell, Community
from patrols.routes.jobs import count_walks, refresh_routes
from patrols.routes.models import CellRoute, CellStretch
from patrols.shifts.jobs import make_shifts
from timebank.ledger.seals import seal_all
from timebank.spending.jobs import make_servings

_TOLD = "demo.told"


class Command(BaseCommand):
    """`make demo`: the whole job on a real town, then a summary; --json for programs."""

    help = "Build the demo town and play the whole story; an existing demo is kept as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", choices=["town", "city"], default="town")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write ids and tokens")
        parser.add_argument("--serve", action="store_true", help="serve it afterwards")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        # The story's many requests would drown what it has to say.
        logging.getLogger("django.request").setLevel(logging.CRITICAL)
        self.console = Console(highlight=False)
        if Audit.objects.filter(action=_TOLD).exists():
            self.console.print("The demo is here already. (Remove var/ to build it anew.)")
        else:
            self._refuse_other_data()
            if options["size"] == "city":
                self._city()
            else:
                self._town()
        logging.getLogger("django.request").setLevel(logging.WARNING)
        if options["json"]:
            found = describe(cast=cast_of(), now=clock.now())
            text = json.dumps(found, ensure_ascii=False, indent=1)
            options["json"].write_text(text, encoding="utf-8")
            self.console.print(f"Wrote {options['json']}")
        self._links(options["port"])
        if options["serve"]:
            call_command("serve", port=options["port"])

    def _refuse_other_data(self) -> None:
        if Audit.objects.filter(action__in=["demo.built", _TOLD]).exists() or town.exists():
            raise CommandError(
                "An earlier demo was interrupted. Remove var/ (or name an empty database in "
                "DATABASE_URL) and run it again."
            )
        if Community.objects.exists() or Member.objects.exists():
            raise CommandError(
                "This database holds other data, so no demo is built in it. "
                "Name an empty one in DATABASE_URL or LINLI_VAR_DIR."
            )

    def _town(self) -> None:
        now = clock.now()
        today = now.astimezone(ZoneInfo(town.ZONE)).date()
        story_on = today - timedelta(days=2)
        worker = Worker()
        with _bars(self.console) as bars, clock.fixed_at(now - timedelta(days=3)):
            built = town.build(now=clock.now(), story_on=story_on, say=bars.say)
            self._make_ahead(bars)
            worker.start()
            try:
                with server() as address:
                    told = tell(town=built, address=address, story_on=story_on, say=bars.say)
            finally:
                worker.stop()
        make_servings(clock.now())
        count_walks(clock.now())
        seal_all(clock.now())
        with unit_of_work() as work:
            work.audit(_TOLD, built.root)
        verdict = self._verify()
        self._summary(told, verdict)

    def _make_ahead(self, bars: "_Bars") -> None:
        """Make the shifts and servings ahead, as the daily jobs do."""
        bars.say("Making the shifts ahead", 0, 1)
        make_shifts(now=clock.now())
        make_servings(clock.now())
        bars.say("Making the shifts ahead", 1, 1)
        self._draw_routes(bars)

    def _draw_routes(self, bars: "_Bars") -> None:
        """Draw every cell's walking route, as the hourly job does."""
        bars.say("Drawing the walking routes", 0, 1)
        refresh_routes(clock.now())
        bars.say("Drawing the walking routes", 1, 1)

    def _city(self) -> None:
        from config.demo import city

        with _bars(self.console) as bars:
            built = city.build(now=clock.now(), say=bars.say)
            self._draw_routes(bars)
        with unit_of_work() as work:
            work.audit(_TOLD, built.root)
        self.console.print(self._verify())

    def _verify(self) -> str:
        said = io.StringIO()
        call_command("verify_ledger", stdout=said)
        return said.getvalue().strip()

    def _summary(self, told: Told, verdict: str) -> None:
        table = Table(title="What happened in the demo town", title_justify="left")
        table.add_column("")
        table.add_column("", justify="right")
        share = told.seats_filled / told.seats_total if told.seats_total else 0.0
        rows: list[tuple[str, Any]] = [
            ("Communities / cells", f"{len(town.PLACES)} / {Cell.objects.count()}"),
            ("Walking routes / streets walked", f"{CellRoute.objects.count()} / {_walked()}"),
            ("Members", Member.objects.count()),
            ("Roster: seats filled", f"{told.seats_filled} of {told.seats_total} ({share:.1%})"),
            ("Roster: gap to the proven bound", f"{told.gap:.2%} in {told.solver_seconds:.1f} s"),
            ("Check-ins and -outs accepted", told.accepted),
            ("… sent to a reviewer", told.review),
            ("Did not come", told.absent),
            ("Hours approved at once / by the reviewer", f"{told.automatic} / {told.approved}"),
            ("Hours rejected, with a reason", told.rejected),
            ("Credits issued", told.issued),
            ("Given to elders", f"{told.given} gifts"),
            ("Meals booked / redeemed", f"{told.booked} / {told.redeemed}"),
            ("Paid at a merchant", told.charged),
        ]
        for name, value in rows:
            table.add_row(name, str(value))
        self.console.print(table)
        self.console.print(verdict)

    def _links(self, port: int) -> None:
        base = f"http://127.0.0.1:{port}"
        self.console.print()
        self.console.print("Sign in as (links hold for 24 hours):")
        for role, member, path in sign_in_links(cast_of()):
            self.console.print(f"  {role:<14} {member.display_name}  ", end="")
            self.console.print(f"{base}{path}", soft_wrap=True)


class _Bars:
    """One progress bar per label, made when it is first heard of."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def say(self, label: str, done: int, total: int) -> None:
        """Show how far this part is."""
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=total)
        self._progress.update(self._tasks[label], completed=done, total=total)


def _walked() -> str:
    """Say how many of the streets' pieces some patrol has walked."""
    own = CellStretch.objects.filter(current=True)
    return f"{own.exclude(planned_on=None).count():,} of {own.count():,} pieces"


@contextmanager
def _bars(console: Console) -> Iterator[_Bars]:
    """Show progress while the block runs."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)
