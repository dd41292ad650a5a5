"""Build the demo town, play its story through the API, and show it."""

import io
import json
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
from config.demo import city, town
from config.demo.describe import cast_of, describe, sign_in_links
from config.demo.story import Told, server, tell
from config.jobs import background_worker
from grids.places.models import Community
from patrols.shifts.services import materialise_all
from timebank.spending.services import materialise_slots


class Command(BaseCommand):
    """`make demo`: the whole job on a real town, then a summary; --json for programs."""

    help = "Build the demo town and play the whole story; never touches other data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", choices=["town", "city"], default="town")
        parser.add_argument("--json", type=Path, metavar="FILE", help="ids, phones and tokens")
        parser.add_argument("--serve", action="store_true", help="serve it afterwards")
        parser.add_argument("--port", type=int, default=8000)
