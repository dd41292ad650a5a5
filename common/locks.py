"""Row locks in the one written order.

idempotency key → members → chat groups → shifts → seats → offers' slots → hour logs →
accounts → topics, each by id; the community row only when its settings change.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import TypeVar

from django.db import models

T = TypeVar("T", bound=models.Model)


class Turn(IntEnum):
    """The written order, for what runs one part of several apps after the other."""

    MEMBERS = 1
    SHIFTS = 2
    SEATS = 3
    SLOTS = 4
    HOURS = 5
    ACCOUNTS = 6


def lock(queryset: "models.QuerySet[T]", ids: Iterable[int]) -> dict[int, T]:
    """Lock the rows with these ids in id order and return them by id.

    On SQLite `select_for_update` is nothing: there the immediate transaction is the lock.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    # One row needs no order, and its simpler query is built in two thirds of the time.
    found = (
        queryset.filter(pk=wanted[0]).order_by()
        if len(wanted) == 1
        else queryset.filter(pk__in=wanted).order_by("pk")
    )
    return {row.pk: row for row in found.select_for_update(no_key=True)}
