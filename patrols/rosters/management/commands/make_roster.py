"""manage.py make_roster: plan a community's week here and now, save it, and apply it if wished."""

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from common.errors import DomainError
from common.unit_of_work import unit_of_work
from grids.places.models import Community
from patrols.rosters import services
from patrols.rosters.models import RosterRun
from patrols.rosters.problem import Problem
from patrols.rosters.solution import Progress as SolverProgress
from patrols.rosters.solution import Solution
from patrols.rosters.solving import solve_now


def iso_date(text: str) -> date:
    """Read a date for argparse."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a date such as 2026-06-01") from error


class Command(BaseCommand):
    """Plan the rosters of a community."""

    help = "Plan who patrols when in a community and everything below it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--community", required=True, metavar="CODE")
        parser.add_argument("--from", dest="from_on", type=iso_date, metavar="DATE")
        parser.add_argument("--days", type=int, default=7, help="1 to 7")
        parser.add_argument("--seconds", type=float, default=30.0)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--apply", action="store_true", help="assign the seats at once")
        parser.add_argument("--json", metavar="FILE", help="write the figures (- for the screen)")
        parser.add_argument(
            "--dump",
            metavar="DIR",
            help="write problem.json and solution.json (docs/roster-format.md)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        community = Community.objects.filter(code=options["community"]).first()
        if community is None:
            raise CommandError(f"There is no community with the code {options['community']}.")
        try:
            run, problem, solution = self._solve(community, options)
        except DomainError as error:
            raise CommandError(_why(error)) from error
        figures = {
            "run": run.pk,
            "seats_total": run.seats_total,
            "seats_filled": run.seats_filled,
            "open": [
                {"seat": one.seat, "reason": one.reason.code, "text": one.reason.describe()}
                for one in solution.open
            ],
            "objective": run.objective,
            "bound": run.bound,
            "gap": run.gap,
            "seconds": run.seconds,
            "method": solution.method,
            "cut_off": solution.cut_off,
        }
        if options["dump"]:
            _dump(Path(options["dump"]), problem, solution)
        if options["apply"]:
            with unit_of_work(None) as work:
                run = services.apply_plan(run_id=run.pk, actor=None, now=work.now)
            figures["assigned"] = run.measures["assigned"]
            figures["skipped"] = run.measures["skipped"]
        self._tell(figures, options["json"])

    def _solve(
        self, community: Community, options: dict[str, Any]
    ) -> tuple[RosterRun, Problem, Solution]:
        with unit_of_work(None) as work:
            run = services.new_run(
                community=community,
                from_on=options["from_on"] or work.now.astimezone(ZoneInfo(community.zone)).date(),
                days=options["days"],
                seconds=options["seconds"],
                seed=options["seed"],
                actor=None,
                now=work.now,
            )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[plan]}"),
        )
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            return solve_now(run.pk, on_progress=_shown(bar, options["seconds"]))

    def _tell(self, figures: dict[str, Any], target: str | None) -> None:
        text = json.dumps(figures, ensure_ascii=False, indent=2)
        if target == "-":
            self.stdout.write(text)
            return
        if target:
            Path(target).write_text(text + "\n", encoding="utf-8")
        total, filled = figures["seats_total"], figures["seats_filled"]
        share = f"{filled / total:.1%}" if total else "–"
        gap = "unknown" if figures["gap"] is None else f"{figures['gap']:.2%}"
        self.stdout.write(
            f"{filled} of {total} seats filled ({share}), gap {gap}, run {figures['run']}"
        )
        if "assigned" in figures:
            self.stdout.write(
                f"{figures['assigned']} seats assigned, {len(figures['skipped'])} left out"
            )


def _shown(bar: Progress, seconds: float) -> Callable[[SolverProgress], None]:
    task = bar.add_task("planning", total=seconds, plan="")

    def show(progress: SolverProgress) -> None:
        plan = "" if progress.objective is None else f"{progress.phase}: {progress.objective}"
        bar.update(task, completed=min(progress.seconds, seconds), plan=plan)

    return show


def _dump(folder: Path, problem: Problem, solution: Solution) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (("problem", problem.to_json()), ("solution", solution.to_json())):
        text = json.dumps(data, ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _why(error: DomainError) -> str:
    errors = error.data.get("errors") or {}
    return "; ".join(f"--{name}: {' '.join(texts)}" for name, texts in errors.items()) or str(error)
