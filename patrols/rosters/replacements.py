"""Who could take an open seat: ranked, with the reasons, in a constant number of queries."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from common.errors import NotAllowed
from grids.people.models import Member, MemberSkill
from grids.places.queries import neighbouring_cells, tree_of
from patrols.rosters.models import Availability, AvailabilityException, Limits
from patrols.rosters.windows import Exceptional, Weekly, covers, expand
from patrols.shifts.models import Seat, Shift
from patrols.shifts.queries import members_assignable, shift_visible_to
from patrols.shifts.rules import leads_shift

LOAD_DAYS = 28
MOST = 20


@dataclass(frozen=True)
class Replacement:
    """A member who fits, and what speaks for and against asking them.

    `reasons` are codes: `home_cell`, `neighbouring_cell`, `available`, `experienced`,
    `at_weekly_limit`, `not_available`, `has_skills`.
    """

    member: Member
    reasons: tuple[str, ...]
    load: int
    score: int

    def data(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "member": {"id": self.member.pk, "name": self.member.display_name},
            "reasons": list(self.reasons),
            "load": self.load,
            "score": self.score,
        }


def replacements_for(
    *, shift_id: int, actor: Member, now: datetime, most: int = MOST
) -> tuple[Shift, list[Replacement]]:
    """Rank those who could take a seat of this shift, for its captain.

    Left out: whoever lacks a skill, overlaps, lacks rest or sits there already. Best first:
    free then, of the cell, of a neighbouring one, within their weekly limit, experienced where
    that is wanted, few shifts in the last 28 days. Raises NotFound, NotAllowed.
    """
    shift = shift_visible_to(actor, shift_id)
    if not leads_shift(actor, shift):
        raise NotAllowed
    people = _free_people(shift, actor)
    said = _Said(shift, people)
    near: set[int] = set()
    if shift.cell_id is not None:
        near = neighbouring_cells(tree_of(shift.community)).get(shift.cell_id, set())
    wanted = set(shift.required_skills)
    found = []
    for member in people:
        if not wanted <= said.skills[member.pk]:
            continue
        home = member.home.cell_id if member.home else None
        facts = {
            "available": said.available(member.pk),
            "home_cell": shift.cell_id is not None and home == shift.cell_id,
            "neighbouring_cell": home in near,
            "within_limit": said.in_week[member.pk] < said.limit(member.pk).most_shifts_a_week,
            "experienced": said.limit(member.pk).experienced,
        }
        found.append(_rank(member, facts, said.load[member.pk], bool(wanted), shift))
    found.sort(key=lambda one: (-one.score, one.load, one.member.pk))
    return shift, found[:most]


def _rank(
    member: Member, facts: dict[str, bool], load: int, skilled: bool, shift: Shift
) -> Replacement:
    score = (
        400 * facts["available"]
        + 200 * facts["home_cell"]
        + 100 * facts["neighbouring_cell"]
        + 150 * facts["within_limit"]
        + 50 * (facts["experienced"] and shift.wants_experienced)
        - 10 * min(load, 20)
    )
    reasons = [name for name in ("home_cell", "neighbouring_cell") if facts[name]]
    reasons.append("available" if facts["available"] else "not_available")
    if skilled:
        reasons.append("has_skills")
    if facts["experienced"]:
        reasons.append("experienced")
    if not facts["within_limit"]:
        reasons.append("at_weekly_limit")
    return Replacement(member, tuple(reasons), load, score)


def _free_people(shift: Shift, actor: Member) -> list[Member]:
    """Return the volunteers whom the captain may seat and who have no seat too near."""
    rest = timedelta(minutes=shift.community.least_rest_minutes)
    near = Seat.objects.filter(
        Q(shift=shift)
        | Q(ends_at__gt=shift.starts_at - rest, starts_at__lt=shift.ends_at + rest)
        & ~Q(state=Seat.State.NO_SHOW),
        member__isnull=False,
    )
    volunteers = (
        Q(pk__in=Limits.objects.values("member"))
        | Q(pk__in=Availability.objects.values("member"))
        | Q(pk__in=Seat.objects.filter(member__isnull=False).values("member"))
    )
    return list(
        members_assignable(actor, shift)
        .filter(volunteers)
        .exclude(pk__in=near.values("member"))
        .select_related("home__cell")
        .order_by("pk")
    )


class _Said:
    """What the people said of their time, what they can do and have done; each table once."""

    def __init__(self, shift: Shift, people: list[Member]) -> None:
        self.shift = shift
        ids = [member.pk for member in people]
        day = timedelta(days=1)
        self.limits = {row.member_id: row for row in Limits.objects.filter(member__in=ids)}
        self.weekly: dict[int, list[Weekly]] = defaultdict(list)
        for row in Availability.objects.filter(member__in=ids):
            self.weekly[row.member_id].append(Weekly(row.weekday, row.from_time, row.until_time))
        self.exceptions: dict[int, list[Exceptional]] = defaultdict(list)
        for other in AvailabilityException.objects.filter(
            member__in=ids, on__gte=shift.local_date - day, on__lte=shift.local_date + day
        ):
            self.exceptions[other.member_id].append(
                Exceptional(other.on, other.available, other.from_time, other.until_time)
            )
        self.skills: dict[int, set[str]] = defaultdict(set)
        if shift.required_skills:
            rows = MemberSkill.objects.filter(
                Q(expires_on__isnull=True) | Q(expires_on__gte=shift.local_date),
                member__in=ids,
                skill__code__in=shift.required_skills,
            )
            for pk, code in rows.values_list("member_id", "skill__code"):
                self.skills[pk].add(code)
        monday = shift.local_date - timedelta(days=shift.local_date.weekday())
        self.load: Counter[int] = Counter()
        self.in_week: Counter[int] = Counter()
        held = Seat.objects.filter(
            member__in=ids,
            starts_at__gte=shift.starts_at - timedelta(days=LOAD_DAYS),
            starts_at__lt=shift.starts_at + timedelta(days=7),
        ).exclude(state=Seat.State.NO_SHOW)
        for pk, on in held.values_list("member_id", "shift__local_date"):
            if on < shift.local_date:
                self.load[pk] += 1
            if monday <= on < monday + timedelta(days=7):
                self.in_week[pk] += 1

    def limit(self, pk: int) -> Limits:
        return self.limits.get(pk) or Limits()

    def available(self, pk: int) -> bool:
        windows = expand(
            self.weekly.get(pk, ()),
            self.exceptions.get(pk, ()),
            first=self.shift.local_date - timedelta(days=1),
            last=self.shift.local_date + timedelta(days=1),
            zone=self.shift.community.zone,
        )
        return covers(windows, self.shift.starts_at, self.shift.ends_at)
