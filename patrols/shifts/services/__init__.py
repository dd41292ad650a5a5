"""Everything that may be done to shifts and seats."""

from patrols.shifts.services.by_hand import changed_by_hand
from patrols.shifts.services.duties import DutyFields, SeatsTaken
from patrols.shifts.services.planned import seat_planned
from patrols.shifts.services.seats import (
    AlreadyClaimed,
    MissingSkill,
    NotYourSeat,
    OverlappingShift,
    RestTooShort,
    ShiftFull,
    ShiftGone,
    ShiftOver,
    ShiftStarted,
    assign_seat,
    claim_seat,
    close_missed_seats,
    free_seat,
    mark_checked_in,
    mark_checked_out,
    mark_no_show,
    release_coming_seats,
    release_seat,
    seat_member,
)
from patrols.shifts.services.series import (
    WHEN,
    change_activity,
    create_activity,
    materialise_shifts,
)
from patrols.shifts.services.shifts import cancel_shift, change_shift, create_shift

__all__ = [
    "WHEN",
    "AlreadyClaimed",
    "DutyFields",
    "MissingSkill",
    "NotYourSeat",
    "OverlappingShift",
    "RestTooShort",
    "SeatsTaken",
    "ShiftFull",
    "ShiftGone",
    "ShiftOver",
    "ShiftStarted",
    "assign_seat",
    "cancel_shift",
    "change_activity",
    "change_shift",
    "changed_by_hand",
    "claim_seat",
    "close_missed_seats",
    "create_activity",
    "create_shift",
    "free_seat",
    "mark_checked_in",
    "mark_checked_out",
    "mark_no_show",
    "materialise_shifts",
    "release_coming_seats",
    "release_seat",
    "seat_member",
    "seat_planned",
]
