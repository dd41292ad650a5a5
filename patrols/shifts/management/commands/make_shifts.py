"""manage.py make_shifts: make recurring shifts ahead, as the hourly job does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import clock
from grids.places.models import Community
from patrols.shifts.jobs import make_shifts


class Command(BaseCommand):
    """Make the shifts of all active activities."""

    help = "Make the shifts of all active activities for some days ahead."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--community", metavar="CODE", help="only in this subtree")
        parser.add_argument("--days", type=int, help="how far ahead (LINLI_SHIFTS_AHEAD_DAYS)")

    def handle(self, *args: Any, **options: Any) -> None:
        path = "/"
        if options["community"]:
            found = Community.objects.filter(code=options["community"]).first()
            if found is None:
                raise CommandError(f"There is no community with the code {options['community']}.")
            path = found.path
        if options["days"] is not None and not 0 <= options["days"] <= 400:
            raise CommandError("--days must be from 0 to 400.")
        made = make_shifts(clock.now(), community_path=path, days=options["days"])
        self.stdout.write(f"{made} new shifts")
