"""Draw a community's grid cells."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from common import clock
from common.errors import DomainError
from common.unit_of_work import unit_of_work
from grids.places.models import Community
from grids.places.plans import publish_plan
from grids.zoning.services import codes_of, draw_community, report, save_drawing


class Command(BaseCommand):
    """Propose cells inside the household band; with --publish they become the map."""

    help = "Draw contiguous cells of households within a band, and report their measures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--community", required=True, metavar="CODE")
        parser.add_argument("--min", type=int, help="least households (the community's own)")
        parser.add_argument("--max", type=int, help="most households (the community's own)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--json", type=Path, metavar="FILE")
        parser.add_argument("--publish", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        community = Community.objects.filter(code=options["community"]).first()
        if community is None:
            raise CommandError(f"There is no community with the code {options['community']!r}.")
        least = community.band_min if options["min"] is None else options["min"]
        most = community.band_max if options["max"] is None else options["max"]
        try:
            with Console(stderr=True).status("Drawing cells …"):
                drawing = draw_community(
                    community=community, band_min=least, band_max=most, seed=options["seed"]
                )
            if drawing.measures.households == 0:
                raise CommandError(
                    "The buildings have no households: give each its count as the property "
                    '"dwellings" (or "dwellings_est") and import them again.'
                )
            with unit_of_work() as work:
                plan = save_drawing(
                    community=community, drawing=drawing, seed=options["seed"], now=work.now
                )
                if options["publish"]:
                    publish_plan(plan=plan, now=clock.now())
        except DomainError as error:
            faults = "; ".join(str(m) for ms in error.data.get("errors", {}).values() for m in ms)
            raise CommandError(f"{error.detail} {faults}".strip()) from error
        found = report(community=community, drawing=drawing)
        if options["json"]:
            text = json.dumps(found, ensure_ascii=False, indent=1)
            options["json"].write_text(text, encoding="utf-8")
        codes = codes_of(community=community, drawing=drawing)
        measures = drawing.measures
        self.stdout.write(
            f"{community.name}: {measures.cells} cells for {measures.households} households, "
            f"{measures.share_in_band:.0%} of feasible cells in {least}–{most}, "
            f"Polsby–Popper {measures.mean_polsby_popper:.2f} on average, "
            f"{measures.cut_edges} of {measures.neighbours} neighbour pairs parted, "
            f"{measures.seconds:.1f} s. {'Published.' if options['publish'] else 'Draft.'}"
        )
        for cell in drawing.cells:
            if not cell.in_band:
                self.stdout.write(f"  {codes[cell.code]}: {cell.households} – {cell.detail}")
