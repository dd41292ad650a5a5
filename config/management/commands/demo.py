"""Build the demo town, play its story through the API, and show it."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """`make demo`: the whole job on a real town, then a summary; --json for programs."""

    help = "Build the demo town and play the whole story; never touches other data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", choices=["town", "city"], default="town")
        parser.add_argument("--json", type=Path, metavar="FILE", help="ids, phones and tokens")
        parser.add_argument("--serve", action="store_true", help="serve it afterwards")
        parser.add_argument("--port", type=int, default=8000)
