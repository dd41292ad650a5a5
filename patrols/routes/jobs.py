"""What the worker does for this app."""

import logging
from datetime import datetime

from common.jobs import for_each
from common.unit_of_work import unit_of_work
from grids.places.models import Community
from patrols.routes import drawing, queries, services

logger = logging.getLogger(__name__)


def refresh_routes(now: datetime) -> int:
    """Draw anew every route whose streets, border or meeting point changed; return how many.

    Drawn outside any transaction, stored in a short one each, so that nobody waits for it.
    """
    count = 0
    for root in Community.objects.filter(parent=None).order_by("pk"):
        try:
            for drawn in drawing.stale(root):
                with unit_of_work(now=now):
                    count += services.store_route(drawn=drawn, now=now) is not None
        except Exception:
            logger.exception("the routes of %s could not be drawn", root.code)
    return count


def run_refresh(now: datetime) -> None:
    """Refresh all routes; the job."""
    refresh_routes(now)


def count_walks(now: datetime) -> None:
    """Count the streets of patrols that took place and are over."""
    due = queries.shifts_to_count(now).values_list("pk", flat=True)
    for_each("count walks", due, lambda pk: services.count_walk(shift_id=pk), now=now)


def forget_tracks(now: datetime) -> None:
    """Erase tracks that may no longer be kept."""
    with unit_of_work(now=now):
        services.forget_tracks(now=now)
