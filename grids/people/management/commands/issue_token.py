"""Print an API token for a member."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.people.phones import parse_phone
from grids.people.services import issue_token


class Command(BaseCommand):
    """Write nothing but the token to stdout, so that a script can take it."""

    help = "Print an API token for the member with this phone number."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone", help="in any common form, such as '+86 138 0000 0000'")
        parser.add_argument("--label", default="issue_token", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        phone = parse_phone(options["phone"])
        if phone is None:
            raise CommandError(f"{options['phone']!r} is no phone number.")
        member = Member.objects.filter(phone=phone, is_active=True).first()
        if member is None:
            raise CommandError(f"There is no active member with the phone number {phone}.")
        with unit_of_work() as work:
            token = issue_token(member=member, label=options["label"][:80], now=work.now)
        self.stdout.write(token)
