"""Jobs that apps register at start and the worker runs when they are due.

The truth is always rows with an indexed time; a job finds what is due and does it, each step
idempotent, so that running twice or late changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Run = Callable[[datetime], None]


@dataclass(frozen=True)
class Job:
    """`run(now)` every `every`."""

    name: str
    every: timedelta
    run: Run


registered: dict[str, Job] = {}


def register(name: str, *, every: timedelta, run: Run) -> None:
    """Let the worker call `run(now)` about every `every`; it opens its own units of work."""
    registered[name] = Job(name=name, every=every, run=run)
