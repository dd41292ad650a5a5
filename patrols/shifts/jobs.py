"""Keep recurring shifts made ahead, and close the seats of those who did not come."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q

from common.jobs import for_each
from patrols.shifts import services
from patrols.shifts.models import Activity, Seat
from patrols.shifts.services.seats import EXPECTED

# So long after the end a phone may take to find a net before somebody counts as absent.
GRACE = timedelta(hours=1)


def run(now: datetime) -> None:
    """Make what is due; the hourly job."""
    make_shifts(now)


def mark_missed(now: datetime) -> None:
    """Mark seats as missed whose shift ended an hour ago without a check-in; each shift alone."""
    due = Seat.objects.filter(state__in=EXPECTED, ends_at__lte=now - GRACE)
    for_each(
        "mark missed",
        due.values_list("shift_id", flat=True).distinct().order_by("shift_id"),
        lambda shift_id: services.close_missed_seats(shift_id=shift_id, now=now),
        now=now,
    )


def make_shifts(
    now: datetime,
    *,
    community_path: str = "/",
    days: int | None = None,
) -> int:
    """Make the shifts of every active activity for `days` ahead; return how many are new.

    One unit of work per activity, and one that can't be made stops no other; running it twice or
    late changes nothing more.
    """
    ahead = timedelta(days=settings.SHIFTS_AHEAD_DAYS if days is None else days)
    due = [
        pk
        for pk, until, zone in _active(community_path)
        if until is None or until < _today(now, zone) + ahead
    ]
    made = 0

    def make(pk: int) -> None:
        nonlocal made
        activity = Activity.objects.select_related("community", "cell").get(pk=pk)
        last = _today(now, activity.community.zone) + ahead
        made += len(services.materialise_shifts(activity=activity, until=last, now=now))

    for_each("make shifts", due, make, now=now)
    return made


def _active(path: str) -> list[tuple[int, date | None, str]]:
    rows = Activity.objects.filter(
        Q(ends_on__isnull=True)
        | Q(materialised_until__isnull=True)
        | Q(materialised_until__lt=F("ends_on")),
        active=True,
        community__path__startswith=path,
    ).order_by("pk")
    return list(rows.values_list("pk", "materialised_until", "community__zone"))


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
