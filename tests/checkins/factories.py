"""A patrol tonight with the first volunteer on its first seat."""

from datetime import timedelta
from typing import Any

from patrols.shifts.models import Seat
from tests.factories import NOW, ShiftFactory, Town, take

START = NOW + timedelta(hours=1)
END = START + timedelta(minutes=90)
# The middle of the first cell, and a place 500 m south of it.
INSIDE = {"lat": 37.155, "lon": 122.415, "accuracy_m": 12}
OUTSIDE = {"lat": 37.1455, "lon": 122.415, "accuracy_m": 12}


def a_patrol(town: Town, **changed: Any) -> Seat:
    """Return the seat; the shift is in the first cell and starts at START."""
    facts = {"community": town.community, "cell": town.cells[0], "starts_at": START, **changed}
    shift = ShiftFactory(**facts)
    return take(shift.seats.get(index=1), town.volunteers[0])
