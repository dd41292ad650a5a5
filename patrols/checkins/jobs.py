"""What the worker does for this app."""

from datetime import datetime

from common.jobs import for_each
from common.unit_of_work import unit_of_work
from patrols.checkins import queries, services
from patrols.checkins.services import erase_positions, position_keep_time


def forget_positions(now: datetime) -> None:
    """Erase positions older than the community was promised to keep them."""
    with unit_of_work(now=now):
        erase_positions(before=now - position_keep_time())


def log_forgotten(now: datetime) -> None:
    """Log, for a reviewer, the hours of everybody who came and forgot to check out."""
    due = queries.seats_without_checkout(now).values_list("pk", flat=True)
    for_each("log forgotten", due, lambda pk: services.log_forgotten(seat_id=pk, now=now), now=now)
