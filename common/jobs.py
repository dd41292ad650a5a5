"""Jobs that apps register at start and the worker runs when they are due.

The truth is always rows with an indexed time; a job finds what is due and does it, each step
idempotent, so that running twice or late changes nothing.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.unit_of_work import unit_of_work

logger = logging.getLogger(__name__)
Run = Callable[[datetime], None]


@dataclass(frozen=True)
class Job:
    """`run(now)` every `every`; a `long` one may take minutes and waits for its like only."""

    name: str
    every: timedelta
    run: Run
    long: bool = False


registered: dict[str, Job] = {}


def register(name: str, *, every: timedelta, run: Run, long: bool = False) -> None:
    """Let the worker call `run(now)` about every `every`; it opens its own units of work.

    `long`: it may take minutes in a large town, so it must not hold up the others. Many short
    units of work, please: each is a turn to write that everybody else waits for on SQLite.
    """
    registered[name] = Job(name=name, every=every, run=run, long=long)


def for_each(
    name: str, ids: Iterable[int], step: Callable[[int], object], *, now: datetime
) -> None:
    """Call `step(id)` for each id in a unit of work of its own.

    One that raises is logged and left for the next run: it must not hold up the others.
    """
    for pk in list(ids):
        try:
            with unit_of_work(now=now):
                step(pk)
        except Exception:
            logger.exception("job %r failed for %s", name, pk)
