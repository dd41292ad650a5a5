"""Add a community to the tree."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import DomainError
from common.unit_of_work import unit_of_work
from grids.places.models import Community
from grids.places.services import create_community


class Command(BaseCommand):
    """District → street → community: create the upper ones first and name them as --parent."""

    help = "Add a district, street or community."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", help="its official or own short code, unique")
        parser.add_argument("name")
        parser.add_argument("--parent", metavar="CODE")
        parser.add_argument("--level", choices=Community.Level.values, default="community")
        parser.add_argument("--zone", default="Asia/Shanghai", help="IANA time zone")

    def handle(self, *args: Any, **options: Any) -> None:
        parent = None
        if options["parent"]:
            parent = Community.objects.filter(code=options["parent"]).first()
            if parent is None:
                raise CommandError(f"There is no community with the code {options['parent']!r}.")
        try:
            with unit_of_work() as work:
                made = create_community(
                    code=options["code"],
                    name=options["name"],
                    parent=parent,
                    level=options["level"],
                    zone=options["zone"],
                    now=work.now,
                )
        except DomainError as error:
            faults = [str(m) for ms in error.data.get("errors", {}).values() for m in ms]
            raise CommandError(" ".join(faults) or str(error.detail)) from error
        self.stdout.write(f"{made.name} ({made.code}) is there.")
