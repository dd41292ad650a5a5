"""Shifts and seats as each person may see them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from common.errors import NotFound
from grids.people.models import Member
from grids.people.queries import members_visible_to
from grids.people.rules import roles_of
from grids.places.models import Cell, Community
from patrols.shifts.models import Activity, Kind, Seat, Shift
from patrols.shifts.rules import CAPTAINS, leads_shift, roots_of, sees_community

HOLDING = (Seat.State.CLAIMED, Seat.State.ASSIGNED, Seat.State.CHECKED_IN)


def communities_visible_to(actor: Member) -> QuerySet[Community]:
    """Return every community of the trees in which the actor lives or holds a role."""
    if actor.is_superuser:
        return Community.objects.all()
    seen = Q(pk__in=[])
    for root in roots_of(actor):
        seen |= Q(path__startswith=root)
    return Community.objects.filter(seen)


def shifts_visible_to(actor: Member) -> QuerySet[Shift]:
    """Return the shifts of the actor's whole district: anybody may help next door."""
    return Shift.objects.filter(community__in=communities_visible_to(actor))


def shift_visible_to(actor: Member, shift_id: int) -> Shift:
    """Return the shift with its community and cell, or raise NotFound."""
    shift = Shift.objects.select_related("community", "cell").filter(pk=shift_id).first()
    if shift is None or not sees_community(actor, shift.community):
        raise NotFound
    return shift


def community_visible_to(actor: Member, community_id: int) -> Community:
    """Return a community of a tree that the actor lives or works in, or raise NotFound."""
    community = Community.objects.filter(pk=community_id).first()
    if community is None or not sees_community(actor, community):
        raise NotFound
    return community


def activity_visible_to(actor: Member, activity_id: int) -> Activity:
    """Return the activity with its community and cell, or raise NotFound."""
    found = Activity.objects.select_related("community", "cell").filter(pk=activity_id).first()
    if found is None or not sees_community(actor, found.community):
        raise NotFound
    return found


def activities_visible_to(actor: Member) -> QuerySet[Activity]:
    """Return the activities of the actor's whole district, as their shifts."""
    return Activity.objects.filter(community__in=communities_visible_to(actor)).select_related(
        "community", "cell"
    )


def activities_kept_by(actor: Member) -> QuerySet[Activity]:
    """Return the activities that the actor may change, by place; `rules.keeps_activities`."""
    kept = Q()
    if not (actor.is_superuser and actor.is_active):
        kept = Q(pk__in=[])
        for role in roles_of(actor):
            if role.kind not in CAPTAINS:
                continue
            if role.community is not None:
                kept |= Q(community__path__startswith=role.community.path)
            elif role.cell_id is not None:
                kept |= Q(cell=role.cell_id)
    return (
        Activity.objects.filter(kept)
        .select_related("community", "cell")
        .order_by("-active", "community__path", "cell__code", "starts_local", "pk")
    )


def places_kept_by(actor: Member) -> list[tuple[Community, list[Cell], bool]]:
    """Return each community with the cells where the actor sets up activities.

    The flag says whether for the whole community too.
    """
    everywhere = actor.is_superuser and actor.is_active
    roles = [role for role in roles_of(actor) if role.kind in CAPTAINS]
    paths = [role.community.path for role in roles if role.community is not None]
    own = [role.cell_id for role in roles if role.cell_id is not None]
    cells = Cell.objects.filter(retired_at=None).order_by("code")
    places = Q()
    if not everywhere:
        led = Q(pk__in=[])
        for path in paths:
            led |= Q(path__startswith=path)
        places = led | Q(pk__in=Cell.objects.filter(pk__in=own).values("community"))
    found = []
    communities = Community.objects.filter(places).order_by("path")
    cells_of: dict[int, list[Cell]] = {}
    for cell in cells.filter(community__in=communities):
        cells_of.setdefault(cell.community_id, []).append(cell)
    for community in communities:
        whole = everywhere or any(community.path.startswith(path) for path in paths)
        here = cells_of.get(community.pk, [])
        found.append((community, here if whole else [c for c in here if c.pk in own], whole))
    return found


def activity_data(activity: Activity) -> dict[str, Any]:
    """Return an activity as the API shows it."""
    return {
        "id": activity.pk,
        "title": activity.title,
        "kind": str(activity.kind),
        "category": str(activity.category),
        "community": activity.community_id,
        "cell": activity.cell_id,
        "rrule": activity.rrule,
        "starts_on": activity.starts_on,
        "ends_on": activity.ends_on,
        "starts_local": activity.starts_local.strftime("%H:%M"),
        "duration_minutes": activity.duration_minutes,
        "active": activity.active,
        "seats": activity.seats_total,
        "required_skills": activity.required_skills,
        "wants_experienced": activity.wants_experienced,
        "meeting_name": activity.meeting_name,
        "meeting_lat": activity.meeting_lat,
        "meeting_lon": activity.meeting_lon,
        "early_minutes": activity.early_minutes,
        "late_minutes": activity.late_minutes,
    }


def members_assignable(actor: Member, shift: Shift) -> QuerySet[Member]:
    """Return the active members whom the shift's captain may seat in it.

    Those they may see anyway, and everybody of the shift's community: the captain of a single
    cell fills a gap with neighbours too. Of those beyond `members_visible_to`
    callers show the name and cell only, never phone or address.
    """
    path = shift.community.path
    neighbours = Q(community__path__startswith=path) | Q(home__community__path__startswith=path)
    known = Q(pk__in=members_visible_to(actor).values("pk"))
    return Member.objects.filter(known | neighbours, is_active=True, erased_at=None)


def member_assignable(actor: Member, shift: Shift, member_id: int) -> Member:
    """Return a member whom the captain may seat in this shift, or raise NotFound."""
    member = members_assignable(actor, shift).filter(pk=member_id).first()
    if member is None:
        raise NotFound
    return member


def shift_rows(shifts: QuerySet[Shift]) -> QuerySet[Shift, Any]:
    """Return the columns that lists show, in one query."""
    return shifts.values(
        "id", "title", "kind", "category", "state", "community", "cell", "starts_at", "ends_at",
        "local_date", "seats_total", "open_seats", "required_skills", "wants_experienced",
        "meeting_name", "meeting_lat", "meeting_lon", "activity",
    )  # fmt: skip


def shift_detail(shift: Shift, actor: Member) -> dict[str, Any]:
    """Return a shift with its seats; names only for its captain, its team, and oneself."""
    seats = list(Seat.objects.filter(shift=shift).select_related("member").order_by("index"))
    captain = leads_shift(actor, shift)
    team = captain or any(seat.member_id == actor.pk for seat in seats)
    return {
        "id": shift.pk,
        "title": shift.title,
        "kind": str(shift.kind),
        "category": str(shift.category),
        "state": str(shift.state),
        "community": shift.community_id,
        "cell": shift.cell_id,
        "starts_at": shift.starts_at,
        "ends_at": shift.ends_at,
        "local_date": shift.local_date,
        "seats_total": shift.seats_total,
        "open_seats": shift.open_seats,
        "required_skills": shift.required_skills,
        "wants_experienced": shift.wants_experienced,
        "meeting_name": shift.meeting_name,
        "meeting_lat": shift.meeting_lat,
        "meeting_lon": shift.meeting_lon,
        "meeting_code": shift.meeting_code if captain else None,
        "activity": shift.activity_id,
        "seats": [seat_data(seat, named=team) for seat in seats],
    }


def seat_data(seat: Seat, *, named: bool) -> dict[str, Any]:
    """Return one seat; its `member` is {id, name}, or null where it is open or not to be seen."""
    member = seat.member if named else None
    return {
        "id": seat.pk,
        "index": seat.index,
        "state": str(seat.state),
        "member": {"id": member.pk, "name": member.display_name} if member else None,
    }


def seat_answer(seat: Seat, shift: Shift) -> dict[str, Any]:
    """Return what claim, release and assign answer: the seat and what is left of its shift."""
    return {
        **seat_data(seat, named=True),
        "shift": shift.pk,
        "open_seats": shift.open_seats,
        "starts_at": shift.starts_at,
        "ends_at": shift.ends_at,
    }


def next_seats_of(member: Member, now: datetime, limit: int = 5) -> list[Seat]:
    """Return the member's current and coming seats, soonest first, with shift and place."""
    seats = (
        Seat.objects.filter(member=member, ends_at__gt=now, state__in=HOLDING)
        .select_related("shift__community", "shift__cell")
        .order_by("starts_at", "pk")
    )
    return list(seats[:limit])


def export_of(member: Member) -> list[dict[str, Any]]:
    """Return every seat the member holds or held, for their own data export."""
    rows = Seat.objects.filter(member=member).order_by("pk")
    columns = ("shift", "shift__title", "starts_at", "ends_at", "state", "taken_at")
    return [dict(row) for row in rows.values(*columns)]


@dataclass
class CellTonight:
    """A cell's evening in figures, and its shifts."""

    cell_id: int | None
    code: str = ""
    name: str = ""
    seats: int = 0
    open: int = 0
    out: int = 0
    shifts: list[Shift] = field(default_factory=list)

    @property
    def coverage(self) -> float | None:
        """Say which share of the seats is filled, 0 to 1; None where nothing is planned."""
        return (self.seats - self.open) / self.seats if self.seats else None


def night_of(community: Community, now: datetime) -> tuple[datetime, datetime]:
    """Return the patrol day that `now` belongs to: from 05:00 to 05:00 by the local clock.

    So the board still shows a watch that began before midnight.
    """
    local = now.astimezone(ZoneInfo(community.zone))
    day = (local - timedelta(hours=5)).date()
    start = local.replace(
        year=day.year,
        month=day.month,
        day=day.day,
        hour=5,
        minute=0,
        second=0,
        microsecond=0,
        fold=0,
    )
    return start, start + timedelta(days=1)


def on_the_board(community: Community, now: datetime) -> Q:
    """Select what the board shows: the patrol day's shifts, whoever is still out, the next hour's.

    So nobody vanishes from it when the patrol day turns at 05:00.
    """
    start, end = night_of(community, now)
    out = Seat.objects.filter(shift=OuterRef("pk"), state=Seat.State.CHECKED_IN)
    return Q(
        starts_at__gte=start - timedelta(days=1),
        starts_at__lt=max(end, now + timedelta(hours=1)),
        state=Shift.State.SCHEDULED,
    ) & (Q(starts_at__gte=start) | Q(ends_at__gt=now) | Q(Exists(out)))


def tonight(community: Community, now: datetime) -> list[CellTonight]:
    """Return each cell's seats, open seats and who is out, of `on_the_board`; gaps first.

    Covers the community's subtree; shifts without a cell come together under None. Three
    queries whatever the size.
    """
    shifts = (
        Shift.objects.filter(
            on_the_board(community, now), community__path__startswith=community.path
        )
        .select_related("cell", "community")
        .prefetch_related("seats__member")
        .order_by("starts_at", "pk")
    )
    found: dict[int | None, CellTonight] = {}
    for shift in shifts:
        cell = found.get(shift.cell_id)
        if cell is None:
            cell = found[shift.cell_id] = CellTonight(
                cell_id=shift.cell_id,
                code=shift.cell.code if shift.cell else "",
                name=str(shift.cell) if shift.cell else "",
            )
        cell.shifts.append(shift)
        cell.seats += shift.seats_total
        cell.open += shift.open_seats
        cell.out += sum(seat.state == Seat.State.CHECKED_IN for seat in shift.seats.all())
    return sorted(found.values(), key=lambda cell: (-cell.open, cell.cell_id is None, cell.code))


def coverage_tonight(communities: Iterable[Community], now: datetime) -> dict[int, dict[str, int]]:
    """Map each cell id to {"seats", "open", "out"} of tonight; a cell without shifts is absent.

    Two queries whatever the number of communities in one zone.
    """
    by_zone: dict[str, list[Community]] = {}
    for community in communities:
        by_zone.setdefault(community.zone, []).append(community)
    found: dict[int, dict[str, int]] = {}
    for group in by_zone.values():
        place = Q(pk__in=[])
        for community in group:
            place |= Q(community__path__startswith=community.path)
        shifts = Shift.objects.filter(place, on_the_board(group[0], now), cell__isnull=False)
        cell_of: dict[int, int] = {}
        for pk, cell, seats, empty in shifts.values_list(
            "pk", "cell_id", "seats_total", "open_seats"
        ):
            assert cell is not None
            cell_of[pk] = cell
            counts = found.setdefault(cell, {"seats": 0, "open": 0, "out": 0})
            counts["seats"] += seats
            counts["open"] += empty
        out = Seat.objects.filter(shift__in=shifts, state=Seat.State.CHECKED_IN)
        for pk in out.values_list("shift_id", flat=True):
            found[cell_of[pk]]["out"] += 1
    return found


def patrols_between(
    communities: Iterable[Community], first: date, last: date
) -> dict[int, tuple[int, int, int]]:
    """Map each cell id to its patrols from `first` to `last`: planned, held, seats that came.

    A patrol was held where somebody checked in. One query, whatever the period.
    """
    came = Seat.objects.filter(
        shift=OuterRef("pk"), state__in=(Seat.State.CHECKED_IN, Seat.State.CHECKED_OUT)
    )
    count = came.order_by().values("shift").annotate(n=Count("pk")).values("n")
    rows = (
        Shift.objects.filter(
            community__in=list(communities),
            kind=Kind.PATROL,
            state=Shift.State.SCHEDULED,
            cell__isnull=False,
            local_date__range=(first, last),
        )
        .annotate(came=Coalesce(Subquery(count), 0))
        .order_by()
        .values("cell")
        .annotate(planned=Count("pk"), held=Count("pk", filter=Q(came__gt=0)), people=Sum("came"))
    )
    return {row["cell"]: (row["planned"], row["held"], row["people"]) for row in rows}
