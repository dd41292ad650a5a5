"""What a captain changed on one shift of a series: the series leaves that alone."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from common.models import Audit
from patrols.shifts import recurrence
from patrols.shifts.models import Activity, Shift
from patrols.shifts.services.duties import columns_of

# A half of either would be wrong with the other half of somebody else.
_TOGETHER = (
    frozenset({"starts_at", "ends_at"}),
    frozenset({"meeting_name", "meeting_lat", "meeting_lon"}),
)


def as_made(activity: Activity, on: date) -> dict[str, Any]:
    """Return the columns of a shift that the activity makes for this local date."""
    starts_at, ends_at = recurrence.instants(
        on, activity.starts_local, activity.duration_minutes, activity.community.zone
    )
    return {**columns_of(activity), "starts_at": starts_at, "ends_at": ends_at}


def whole(names: Iterable[str]) -> set[str]:
    """Return these columns and those that change with them."""
    found = set(names)
    return found.union(*(group for group in _TOGETHER if group & found))


def changed_by_hand(shifts: Iterable[Shift], activity: Activity) -> dict[int, set[str]]:
    """Return for each shift the columns that a captain changed, where it differs from the series.

    Whoever gives a shift back what the series says lets it follow again. Read from the audit
    trail: a shift may also differ because somebody held it when the series changed.
    """
    by_id = {shift.pk: shift for shift in shifts}
    said = Audit.objects.filter(
        subject_type=Shift._meta.label_lower, subject_id__in=list(by_id), action="shift.change"
    ).values_list("subject_id", "before", "after")
    touched: dict[int, set[str]] = {}
    for shift_id, before, after in said:
        assert shift_id is not None
        old, new = before or {}, after or {}
        changed = {name for name in new if old.get(name) != new[name]}
        touched.setdefault(shift_id, set()).update(changed)
    found = {}
    for shift_id, names in touched.items():
        shift = by_id[shift_id]
        made = as_made(activity, shift.local_date)
        differing = {name for name in names & made.keys() if getattr(shift, name) != made[name]}
        if differing:
            found[shift_id] = whole(differing)
    return found
