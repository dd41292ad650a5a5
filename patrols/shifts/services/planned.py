"""Fill many seats at once, as a roster says."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db.models import Q

from common.locks import lock
from common.unit_of_work import current
from grids.people.models import Member, MemberSkill
from grids.places.models import Community
from patrols.shifts import events
from patrols.shifts.models import Seat, Shift
from patrols.shifts.transitions import By, step

_BATCH = 500


def seat_planned(
    *, plan: Mapping[int, int], community: Community, actor: Member | None, now: datetime
) -> dict[int, str]:
    """Assign seat → member for the open seats of a community's subtree; the caller has checked
    that the actor leads it.

    Everything is checked again under the locks. What no longer fits is left out and returned as
    seat → reason: `seat_taken`, `shift_cancelled`, `shift_started`, `member_gone`,
    `already_claimed`, `overlapping_shift`, `rest_too_short`, `missing_skill`.
    """
    work = current()
    members = lock(Member.objects.filter(is_active=True, erased_at=None), plan.values())
    wanted = Seat.objects.filter(
        pk__in=plan, shift__community__path__startswith=community.path
    ).values_list("pk", "shift_id")
    shift_of = dict(wanted)
    shifts = lock(Shift.objects.all(), shift_of.values())
    seats = lock(Seat.objects.all(), shift_of)
    checks = _Checks(members, shifts)
    skipped = {pk: "seat_taken" for pk in plan if pk not in seats}
    filled: list[Seat] = []
    for pk, seat in seats.items():
        member, shift = members.get(plan[pk]), shifts[seat.shift_id]
        reason = checks.obstacle(seat, shift, member, now)
        if reason or member is None:
            skipped[pk] = reason or "member_gone"
            continue
        step(seat, Seat.State.ASSIGNED, by=By.CAPTAIN if actor else By.SYSTEM)
        seat.member, seat.taken_at = member, now
        shift.open_seats -= 1
        checks.add(seat, member)
        filled.append(seat)
    Seat.objects.bulk_update(filled, ["state", "member", "taken_at"], batch_size=_BATCH)
    changed = {seat.shift_id: shifts[seat.shift_id] for seat in filled}
    Shift.objects.bulk_update(changed.values(), ["open_seats"], batch_size=_BATCH)
    for seat in filled:
        work.audit(
            "seat.assign",
            seat,
            before={"state": "open"},
            after={"state": "assigned", "member": seat.member_id, "planned": True},
        )
        events.record_seat(events.SeatAssigned, seat, shifts[seat.shift_id], member=seat.member)
    return skipped


class _Checks:
    """What every planned seat is checked against, read once under the locks."""

    def __init__(self, members: Mapping[int, Member], shifts: Mapping[int, Shift]) -> None:
        self.rest: dict[int, int] = dict(
            Community.objects.filter(
                pk__in={shift.community_id for shift in shifts.values()}
            ).values_list("pk", "least_rest_minutes")
        )
        self.held: dict[int, list[tuple[datetime, datetime, int]]] = defaultdict(list)
        self.skills: dict[int, list[tuple[str, date | None]]] = defaultdict(list)
        if not shifts:
            return
        margin = timedelta(minutes=max(self.rest.values()))
        first = min(shift.starts_at for shift in shifts.values()) - margin
        last = max(shift.ends_at for shift in shifts.values()) + margin
        rows = (
            Seat.objects.filter(Q(ends_at__gt=first, starts_at__lt=last), member__in=members)
            .exclude(state=Seat.State.NO_SHOW)
            .values_list("member_id", "starts_at", "ends_at", "shift_id")
        )
        for pk, start, end, shift in rows:
            if pk is not None:
                self.held[pk].append((start, end, shift))
        if any(shift.required_skills for shift in shifts.values()):
            for pk, code, until in MemberSkill.objects.filter(member__in=members).values_list(
                "member_id", "skill__code", "expires_on"
            ):
                self.skills[pk].append((code, until))

    def add(self, seat: Seat, member: Member) -> None:
        self.held[member.pk].append((seat.starts_at, seat.ends_at, seat.shift_id))

    def obstacle(
        self, seat: Seat, shift: Shift, member: Member | None, now: datetime
    ) -> str | None:
        if member is None:
            return "member_gone"
        if shift.state == Shift.State.CANCELLED:
            return "shift_cancelled"
        if shift.starts_at <= now:
            return "shift_started"
        if seat.state != Seat.State.OPEN:
            return "seat_taken"
        has = {
            code
            for code, until in self.skills.get(member.pk, ())
            if until is None or until >= shift.local_date
        }
        if not set(shift.required_skills) <= has:
            return "missing_skill"
        return self._too_near(shift, member)

    def _too_near(self, shift: Shift, member: Member) -> str | None:
        rest = timedelta(minutes=self.rest[shift.community_id])
        found = None
        for start, end, other in self.held.get(member.pk, ()):
            if other == shift.pk:
                return "already_claimed"
            if end > shift.starts_at and start < shift.ends_at:
                return "overlapping_shift"
            if end > shift.starts_at - rest and start < shift.ends_at + rest:
                found = "rest_too_short"
        return found
