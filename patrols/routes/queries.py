"""Tonight's way, and which streets were walked when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

from common.errors import NotFound
from grids.people.models import Member
from grids.places.models import Cell, CellPlan, Community
from patrols.checkins.models import CheckIn
from patrols.routes.models import CellRoute, CellStretch, TrackBatch, Walk
from patrols.routes.nights import teams_needed, tours_of_night
from patrols.shifts.models import Kind, Shift
from patrols.shifts.rules import leads, sees_community

# A phone may be without a net for so long before its check-in reaches us.
LATE_DAYS = 7
# Streets not walked for longer come first on the board.
WEEK = 7


@dataclass(frozen=True)
class Leg:
    """A piece of a walk along one street; `again`: all of it was walked before tonight."""

    name: str
    metres: int
    again: bool
    outside: bool


@dataclass(frozen=True)
class Way:
    """One tour as it is walked."""

    number: int
    metres: float
    legs: list[Leg]
    line: list[tuple[float, float]]
    keys: list[str]

    @property
    def shown(self) -> int:
        """Return the tour's number as people count."""
        return self.number + 1


@dataclass(frozen=True)
class Tonight:
    """What a shift walks: usually one way, more where a cell needs several teams."""

    route: CellRoute
    ways: list[Way]


def route_of_cell(cell_id: int) -> CellRoute | None:
    """Return the cell's route in the published plan, None where none was made yet."""
    return (
        CellRoute.objects.filter(cell=cell_id, plan__state=CellPlan.State.PUBLISHED)
        .order_by("-computed_at")
        .first()
    )


def cell_visible_to(actor: Member, cell_id: int) -> Cell:
    """Return a cell of a town that the actor lives or works in, or raise NotFound."""
    cell = Cell.objects.select_related("community").filter(pk=cell_id).first()
    if cell is None or not sees_community(actor, cell.community):
        raise NotFound
    return cell


def night_numbers(shifts: Sequence[Shift]) -> dict[int, int]:
    """Map each patrol to how many patrols of its cell come before it; two queries."""
    if not shifts:
        return {}
    cells = {shift.cell_id for shift in shifts}
    patrols = Shift.objects.filter(
        cell__in=cells, kind=Kind.PATROL, state=Shift.State.SCHEDULED
    ).order_by()
    first = min(shift.starts_at for shift in shifts)
    last = max(shift.starts_at for shift in shifts)
    before = dict(
        patrols.filter(starts_at__lt=first).values_list("cell_id").annotate(number=Count("pk"))
    )
    found = {}
    between = patrols.filter(starts_at__gte=first, starts_at__lte=last)
    for pk, cell_id in between.order_by("starts_at", "pk").values_list("pk", "cell_id"):
        found[pk] = before.get(cell_id, 0)
        before[cell_id] = found[pk] + 1
    return found


def has_route(shift: Shift) -> bool:
    """Say whether a shift is one that walks: a patrol of a cell that was not called off."""
    scheduled = shift.state == Shift.State.SCHEDULED
    return shift.kind == Kind.PATROL and shift.cell_id is not None and scheduled


def tonight(shift: Shift) -> Tonight | None:
    """Return what this shift walks; None where it walks nowhere or no route was made."""
    found = tonight_of_many([shift])
    return found[0][1] if found else None


def tonight_of_many(shifts: Sequence[Shift]) -> list[tuple[Shift, Tonight]]:
    """Return what each of these shifts walks, their routes read at once."""
    walking = [shift for shift in shifts if has_route(shift)]
    if not walking:
        return []
    routes = {
        route.cell_id: route
        for route in CellRoute.objects.filter(
            cell__in={shift.cell_id for shift in walking}, plan__state=CellPlan.State.PUBLISHED
        ).order_by("computed_at")
    }
    numbers = night_numbers(walking)
    found = []
    for shift in walking:
        route = routes.get(shift.cell_id or 0)
        if route is not None and route.tours:
            tours = tours_of_night(numbers[shift.pk], len(route.tours))
            found.append((shift, Tonight(route, [way(route, number) for number in tours])))
    return found


def way(route: CellRoute, number: int) -> Way:
    """Return the tour with this index, as it is walked."""
    tour = route.tours[number]
    line: list[tuple[float, float]] = []
    legs: list[Leg] = []
    keys: list[str] = []
    for at, forward, serves in tour["steps"]:
        stretch = route.stretches[at]
        points = [(lon, lat) for lon, lat in stretch["line"]]
        if not forward:
            points.reverse()
        line += points[1:] if line and line[-1] == points[0] else points
        if serves:
            keys.append(stretch["key"])
        leg = Leg(stretch["name"], round(stretch["metres"]), not serves, not stretch["own"])
        if legs and (legs[-1].name, legs[-1].again) == (leg.name, leg.again):
            last = legs.pop()
            leg = Leg(last.name, last.metres + leg.metres, last.again, last.outside and leg.outside)
        legs.append(leg)
    return Way(number, tour["metres"], legs, line, keys)


def teams_of(route: CellRoute) -> int:
    """Return how many teams a night must walk for every street to have its turn in a week."""
    return teams_needed(len(route.tours))


def shifts_to_count(now: datetime) -> QuerySet[Shift]:
    """Return patrols that took place and whose streets were not counted yet.

    One took place when somebody's check-in was accepted; the captain decides about doubtful ones.
    """
    came = CheckIn.objects.filter(
        seat__shift=OuterRef("pk"), kind=CheckIn.Kind.IN, verdict=CheckIn.Verdict.ACCEPTED
    )
    counted = Walk.objects.filter(shift=OuterRef("pk"), source=Walk.Source.PLANNED)
    route = CellRoute.objects.filter(cell=OuterRef("cell"), plan__state=CellPlan.State.PUBLISHED)
    return Shift.objects.filter(
        Exists(came),
        ~Exists(counted),
        Exists(route),
        kind=Kind.PATROL,
        state=Shift.State.SCHEDULED,
        cell__isnull=False,
        ends_at__lte=now,
        ends_at__gt=now - timedelta(days=LATE_DAYS),
    ).order_by("pk")


@dataclass
class StreetWalked:
    """A street of a cell and the day since when all of it has been walked."""

    cell: Cell
    name: str
    metres: float = 0.0
    walked_on: date | None = None
    tracked_on: date | None = None
    since: date | None = None
    keys: set[str] = field(default_factory=set)
    days: int = 0
    dates: dict[date, float] = field(default_factory=dict)

    @property
    def late(self) -> bool:
        """Say whether it waits for longer than a week."""
        return self.days > WEEK

    @property
    def never(self) -> bool:
        """Say whether some piece of it was never walked."""
        return self.walked_on is None


def streets_walked(cells: Sequence[Cell], *, today: date) -> list[StreetWalked]:
    """Return the streets of these cells, those not walked for longest first.

    A street counts as walked on the oldest of its pieces' last days; one never walked waits
    since it came into the cell's route. Unnamed ways are told apart by their source.
    """
    by_id = {cell.pk: cell for cell in cells}
    found: dict[tuple[int, str], StreetWalked] = {}
    whole: dict[tuple[int, str], list[CellStretch]] = {}
    for stretch in CellStretch.objects.filter(cell__in=by_id, current=True).order_by("pk"):
        mark = (stretch.cell_id, stretch.name or stretch.street)
        whole.setdefault(mark, []).append(stretch)
    for mark, stretches in whole.items():
        lasts = [_last(stretch) for stretch in stretches]
        tracked = [stretch.tracked_on for stretch in stretches]
        since = min(stretch.since for stretch in stretches)
        walked_on = None if None in lasts else min(day for day in lasts if day)
        waits = walked_on or since
        found[mark] = StreetWalked(
            cell=by_id[mark[0]],
            name=stretches[0].name,
            metres=sum(stretch.metres for stretch in stretches),
            walked_on=walked_on,
            tracked_on=None if None in tracked else min(day for day in tracked if day),
            since=since,
            keys={stretch.key for stretch in stretches},
            days=max(0, (today - waits).days),
        )
    return sorted(
        found.values(),
        key=_waits_longest,
    )


def _waits_longest(one: StreetWalked) -> tuple[Any, ...]:
    """Sort by days, those never walked first, named ones before lanes without a name."""
    return (-one.days, not one.never, not one.name, one.cell.code, one.name)


def _last(stretch: CellStretch) -> date | None:
    return max((day for day in (stretch.planned_on, stretch.tracked_on) if day), default=None)


def add_dates(streets: Iterable[StreetWalked], *, since: date) -> None:
    """Add to each street on which days how much of it was walked (share, 0 to 1)."""
    listed = list(streets)
    walks = Walk.objects.filter(
        cell__in={one.cell.pk for one in listed}, walked_on__gte=since
    ).values_list("cell_id", "walked_on", "keys")
    on: dict[tuple[int, date], set[str]] = {}
    for cell_id, day, keys in walks:
        on.setdefault((cell_id, day), set()).update(keys)
    for one in listed:
        for (cell_id, day), keys in sorted(on.items()):
            if cell_id == one.cell.pk and one.keys & keys:
                one.dates[day] = len(one.keys & keys) / len(one.keys)


def lines_of(cells: Iterable[int]) -> dict[str, list[Any]]:
    """Map the keys of these cells' own stretches to their lines."""
    routes = CellRoute.objects.filter(cell__in=list(cells), plan__state=CellPlan.State.PUBLISHED)
    return {
        one["key"]: one["line"]
        for stretches in routes.values_list("stretches", flat=True)
        for one in stretches
        if one["own"]
    }


def streets_of_keys(cells: Iterable[Cell]) -> dict[tuple[int, str], tuple[str, bool]]:
    """Map (cell, key) of stretches to their street, "community id:source id", and if current."""
    rows = CellStretch.objects.filter(cell__in=list(cells))
    return {
        (cell, key): (street, current)
        for cell, key, street, current in rows.values_list("cell_id", "key", "street", "current")
    }


def cells_of(actor: Member, community: Community) -> list[Cell]:
    """Return the cells of this community itself that the actor leads."""
    return _led(actor, Cell.objects.filter(community=community))


def cells_led(actor: Member, community: Community) -> list[Cell]:
    """Return the cells under this community that the actor leads."""
    return _led(actor, Cell.objects.filter(community__path__startswith=community.path))


def _led(actor: Member, cells: QuerySet[Cell]) -> list[Cell]:
    alive = cells.filter(retired_at=None, kind=Cell.Kind.GEOGRAPHIC).select_related("community")
    return [c for c in alive.order_by("code") if leads(actor, community=c.community, cell=c)]


def tracks_of(member: Member, seat_id: int) -> list[list[Any]]:
    """Return all kept points of a member on a seat."""
    batches = TrackBatch.objects.filter(member=member, seat=seat_id).order_by("pk")
    return [point for batch in batches for point in batch.points]


def export_of(member: Member) -> list[dict[str, Any]]:
    """Return the member's own tracks for the personal-data export."""
    return [
        {"seat": row.seat_id, "received_at": row.received_at.isoformat(), "points": row.points}
        for row in TrackBatch.objects.filter(member=member).order_by("pk")
    ]
