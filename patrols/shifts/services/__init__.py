"""Everything that may be done to shifts and seats."""

from patrols.shifts.services.seats import (
    AlreadyClaimed,
    MissingSkill,
    NotYourSeat,
    OverlappingShift,
    RestTooShort,
    ShiftFull,
    ShiftGone,
    ShiftStarted,
    assign_seat,
    claim_seat,
    mark_checked_in,
    mark_checked_out,
    mark_no_show,
    release_seat,
)

__all__ = [
    "AlreadyClaimed",
    "MissingSkill",
    "NotYourSeat",
    "OverlappingShift",
    "RestTooShort",
    "ShiftFull",
    "ShiftGone",
    "ShiftStarted",
    "assign_seat",
    "claim_seat",
    "mark_checked_in",
    "mark_checked_out",
    "mark_no_show",
    "release_seat",
]
