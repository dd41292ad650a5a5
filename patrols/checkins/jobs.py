"""What the worker does for this app."""

from datetime import datetime

from common.unit_of_work import unit_of_work
from patrols.checkins.services import erase_positions, position_keep_time


def forget_positions(now: datetime) -> None:
    """Erase positions older than the community was promised to keep them."""
    with unit_of_work(now=now):
        erase_positions(before=now - position_keep_time())
