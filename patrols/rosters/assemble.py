"""Describe a week's rostering to the solver, from the database; a few queries at any size."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet

from grids.people.models import Member, MemberSkill
from grids.places.models import Community
from grids.places.queries import neighbouring_cells, subtree
from patrols.rosters.models import Availability, AvailabilityException, Limits
from patrols.rosters.problem import MemberSpec, Problem, SeatSpec, ShiftSpec, Weights, Window
from patrols.rosters.windows import Exceptional, Weekly, expand
from patrols.shifts.models import Seat, Shift

PAST_DAYS = 28
# Nobody should walk alone at night: a team of one is priced, not only an empty one.
LEAST_TEAM = 2
# Held seats this far around the plan count for rest and for days in a row.
_AROUND = timedelta(days=15)


def volunteers_of(community: Community) -> QuerySet[Member]:
    """Return the active members of the subtree who said when or how often they can come."""
    return Member.objects.filter(
        Q(limits__isnull=False) | Q(availabilities__isnull=False),
        community__path__startswith=community.path,
        is_active=True,
        erased_at=None,
    ).distinct()


def build_problem(
    community: Community,
    *,
    from_on: date,
    days: int,
    now: datetime,
    weights: Weights | None = None,
) -> Problem:
    """Return the problem of filling the open seats of `days` local dates from `from_on`.

    Seats that somebody holds are locked to them. Shifts that have begun are left out. At most
    seven days, so that "at most n shifts a week" can be held: it counts every seat of the same
    calendar weeks, in this plan or not.
    """
    last = from_on + timedelta(days=days - 1)
    shifts = list(
        Shift.objects.filter(
            community__path__startswith=community.path,
            state=Shift.State.SCHEDULED,
            local_date__gte=from_on,
            local_date__lte=last,
            starts_at__gt=now,
        ).order_by("starts_at", "pk")
    )
    seats = list(Seat.objects.filter(shift__in=[shift.pk for shift in shifts]).order_by("pk"))
    by_id = {shift.pk: shift for shift in shifts}
    holders = {seat.member_id for seat in seats if seat.member_id is not None}
    return Problem(
        zone=community.zone,
        weights=weights or Weights(),
        shifts=tuple(
            ShiftSpec(
                id=shift.pk,
                least=min(LEAST_TEAM, shift.seats_total),
                wants_experienced=shift.wants_experienced,
            )
            for shift in shifts
        ),
        seats=tuple(_seat_spec(seat, by_id[seat.shift_id]) for seat in seats),
        members=tuple(_Members(community, from_on, last, set(by_id), now).specs(holders)),
    )


def _seat_spec(seat: Seat, shift: Shift) -> SeatSpec:
    return SeatSpec(
        id=seat.pk,
        shift_id=shift.pk,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        cell_id=shift.cell_id,
        kind=str(shift.kind),
        skills=frozenset(shift.required_skills),
        lat=shift.meeting_lat,
        lon=shift.meeting_lon,
        locked=seat.member_id,
    )


class _Members:
    """Reads what concerns the people, each table once."""

    def __init__(
        self, community: Community, first: date, last: date, planned: set[int], now: datetime
    ) -> None:
        self.community = community
        self.first = first
        self.last = last
        self.planned = planned
        self.zone = ZoneInfo(community.zone)
        self.midnight = datetime(first.year, first.month, first.day, tzinfo=self.zone)

    def specs(self, holders: set[int]) -> Iterable[MemberSpec]:
        people = (
            Member.objects.filter(
                Q(pk__in=volunteers_of(self.community).values("pk")) | Q(pk__in=holders)
            )
            .order_by("pk")
            .values_list("pk", "home__cell_id")
        )
        homes = dict(people)
        limits = {
            row.member_id: row for row in Limits.objects.filter(member__in=people.values("pk"))
        }
        weekly, exceptions = self._availability(people)
        skills = self._skills(people)
        busy, weeks = self._held(people)
        load = self._load(people)
        near = neighbouring_cells(subtree(self.community))
        rest = max(subtree(self.community).values_list("least_rest_minutes", flat=True))
        unsaid = Limits()
        for pk, home in homes.items():
            limit = limits.get(pk, unsaid)
            held = weeks.get(pk, {}).values()
            most_minutes = limit.most_minutes_a_week
            yield MemberSpec(
                id=pk,
                skills=skills.get(pk, frozenset()),
                experienced=limit.experienced,
                home_cell=home,
                other_cells=frozenset(near.get(home, ()))
                if home is not None and limit.neighbouring_cells
                else frozenset(),
                available=expand(
                    weekly.get(pk, ()),
                    exceptions.get(pk, ()),
                    first=self.first - timedelta(days=1),
                    last=self.last,
                    zone=self.community.zone,
                ),
                busy=tuple(sorted(busy.get(pk, ()), key=lambda one: one.starts_at)),
                most_shifts=max(
                    0, limit.most_shifts_a_week - max((count for count, _ in held), default=0)
                ),
                most_minutes=None
                if most_minutes is None
                else max(0, most_minutes - max((minutes for _, minutes in held), default=0)),
                least_rest_minutes=rest,
                most_days_in_row=limit.most_days_in_a_row,
                past_load=load.get(pk, 0),
            )

    def _availability(
        self, people: "QuerySet[Member, tuple[int, int | None]]"
    ) -> tuple[dict[int, list[Weekly]], dict[int, list[Exceptional]]]:
        weekly: dict[int, list[Weekly]] = defaultdict(list)
        rows = Availability.objects.filter(member__in=people.values("pk"))
        for pk, weekday, since, until in rows.values_list(
            "member_id", "weekday", "from_time", "until_time"
        ):
            weekly[pk].append(Weekly(weekday, since, until))
        exceptions: dict[int, list[Exceptional]] = defaultdict(list)
        dated = AvailabilityException.objects.filter(
            member__in=people.values("pk"),
            on__gte=self.first - timedelta(days=1),
            on__lte=self.last + timedelta(days=1),
        )
        for pk, on, available, start, end in dated.values_list(
            "member_id", "on", "available", "from_time", "until_time"
        ):
            exceptions[pk].append(Exceptional(on, available, start, end))
        return weekly, exceptions

    def _skills(
        self, people: "QuerySet[Member, tuple[int, int | None]]"
    ) -> dict[int, frozenset[str]]:
        """Return the skills that hold to the end of the plan."""
        found: dict[int, set[str]] = defaultdict(set)
        rows = MemberSkill.objects.filter(
            Q(expires_on__isnull=True) | Q(expires_on__gte=self.last),
            member__in=people.values("pk"),
        )
        for pk, code in rows.values_list("member_id", "skill__code"):
            found[pk].add(code)
        return {pk: frozenset(codes) for pk, codes in found.items()}

    def _held(
        self, people: "QuerySet[Member, tuple[int, int | None]]"
    ) -> tuple[dict[int, list[Window]], dict[int, dict[date, tuple[int, int]]]]:
        """Return seats held outside the plan, and their count and minutes by calendar week."""
        rows = (
            Seat.objects.filter(
                member__in=people.values("pk"),
                ends_at__gt=self.midnight - _AROUND,
                starts_at__lt=self.midnight
                + timedelta(days=(self.last - self.first).days)
                + _AROUND,
            )
            .exclude(state=Seat.State.NO_SHOW)
            .values_list("member_id", "shift_id", "shift__local_date", "starts_at", "ends_at")
        )
        touched = {_monday(self.first), _monday(self.last)}
        busy: dict[int, list[Window]] = defaultdict(list)
        weeks: dict[int, dict[date, tuple[int, int]]] = defaultdict(dict)
        for pk, shift, on, start, end in rows:
            if pk is None or shift in self.planned:
                continue
            busy[pk].append(Window(start, end))
            if _monday(on) in touched:
                count, minutes = weeks[pk].get(_monday(on), (0, 0))
                weeks[pk][_monday(on)] = (
                    count + 1,
                    minutes + (end - start) // timedelta(minutes=1),
                )
        return busy, weeks

    def _load(self, people: "QuerySet[Member, tuple[int, int | None]]") -> dict[int, int]:
        rows = (
            Seat.objects.filter(
                member__in=people.values("pk"),
                starts_at__gte=self.midnight - timedelta(days=PAST_DAYS),
                starts_at__lt=self.midnight,
            )
            .exclude(state=Seat.State.NO_SHOW)
            .values_list("member_id")
            .annotate(count=Count("pk"))
        )
        return {pk: count for pk, count in rows if pk is not None}


def _monday(on: date) -> date:
    return on - timedelta(days=on.weekday())
