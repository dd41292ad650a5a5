"""Reading check-ins, and the place that a position is measured against."""

from datetime import datetime
from typing import Any

import shapely
from django.db.models import Exists, OuterRef, QuerySet

from common.errors import NotFound
from grids.people.models import Member
from grids.places.models import CellPlan, CellShape
from patrols.checkins import place
from patrols.checkins.models import CheckIn
from patrols.checkins.verdict import OUT_AT_LATEST, RETYPE_WITHIN, RETYPES
from patrols.shifts.models import Seat, Shift
from patrols.shifts.rules import sees_community
from timebank.earning.models import HourLog

# What hour logs of seats name as their source.
SOURCE = "seat"


def seat_visible_to(actor: Member, seat_id: int) -> Seat:
    """Return a seat with its shift, community and cell; raise NotFound where its shift would be."""
    seat = Seat.objects.select_related("shift__community", "shift__cell").filter(pk=seat_id).first()
    if seat is None or not sees_community(actor, seat.shift.community):
        raise NotFound
    return seat


def metres_from_place(shift: Shift, *, lat: float, lon: float) -> float | None:
    """Return metres outside the shift's place, 0 inside; None where it has none.

    The place is the cell's published shape; without one (virtual cells, town-wide duties) a
    circle around the meeting point.
    """
    if shift.cell_id is not None:
        stored = (
            CellShape.objects.filter(cell=shift.cell_id, plan__state=CellPlan.State.PUBLISHED)
            .values_list("geometry", flat=True)
            .first()
        )
        if stored is not None:
            return place.metres_outside(shapely.from_wkb(bytes(stored)), lat=lat, lon=lon)
    if shift.meeting_lat is None or shift.meeting_lon is None:
        return None
    return place.metres_from_meeting(
        lat=lat, lon=lon, meeting_lat=shift.meeting_lat, meeting_lon=shift.meeting_lon
    )


def seats_without_checkout(now: datetime) -> QuerySet[Seat]:
    """Return seats checked in to and never out, whose time for it is over, without hours yet.

    A check-in that has only just reached us is left time to be followed by its check-out.
    """
    over = now - OUT_AT_LATEST
    came = CheckIn.objects.filter(
        seat=OuterRef("pk"), member=OuterRef("member"), kind="in", received_at__lte=over
    )
    hours = HourLog.objects.filter(source_type=SOURCE, source_id=OuterRef("pk"))
    return Seat.objects.filter(
        Exists(came),
        ~Exists(hours),
        state=Seat.State.CHECKED_IN,
        ends_at__lte=over,
        member__erased_at=None,
    ).order_by("pk")


def checkins_of_seat(seat: Seat, member: Member) -> dict[str, CheckIn]:
    """Return the member's check-ins on this seat by kind."""
    return {row.kind: row for row in CheckIn.objects.filter(seat=seat, member=member)}


def hours_of_seat(seat_id: int) -> QuerySet[HourLog]:
    """Return the hours logged for a seat: one row or none."""
    return HourLog.objects.filter(source_type=SOURCE, source_id=seat_id)


def retypes_left(checkin: CheckIn, now: datetime) -> int:
    """Return how often the code of a check-in may still be typed again.

    0 when nothing is wrong, and when somebody decided on the hours by what the check-in proves.
    """
    if "wrong_code" not in checkin.reasons or now - checkin.received_at > RETYPE_WITHIN:
        return 0
    if hours_of_seat(checkin.seat_id).exclude(state=HourLog.State.PENDING).exists():
        return 0
    return max(0, RETYPES - checkin.retypes)


def export_of(member: Member) -> list[dict[str, Any]]:
    """Return the member's own check-ins for the personal-data export."""
    fields = (
        "id", "seat_id", "kind", "occurred_at", "received_at", "lat", "lon", "accuracy_m",
        "distance_m", "method", "verdict", "reasons",
    )  # fmt: skip
    return [
        {
            **row,
            "occurred_at": row["occurred_at"].isoformat(),
            "received_at": row["received_at"].isoformat(),
        }
        for row in CheckIn.objects.filter(member=member).order_by("id").values(*fields)
    ]
