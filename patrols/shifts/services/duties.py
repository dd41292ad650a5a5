"""What single and recurring shifts share: the fields, their checks, and making the rows."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import BadInput, DomainError, NotAllowed
from grids.people.models import Member, Skill
from grids.places.models import Cell, Community
from patrols.shifts import events
from patrols.shifts.models import Activity, Seat, Shift
from patrols.shifts.queries import community_visible_to
from patrols.shifts.rules import leads
from patrols.shifts.services.seats import free_seat
from patrols.shifts.transitions import By

MOST_SEATS = 50
LONGEST = timedelta(hours=24)
# Without 0, O, 1, I, L: the code is read from a paper and typed by old hands.
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


class SeatsTaken(DomainError):
    """Fewer seats are wanted than people sit on, or than a plan names."""

    code = "seats_taken"
    detail = gettext_lazy("Some of these seats are taken. Release them first.")


@dataclass(frozen=True, kw_only=True)
class DutyFields:
    """What a captain says about a duty, beside when and where it is."""

    title: str
    kind: str
    seats: int = 3
    category: str = ""
    required_skills: tuple[str, ...] = ()
    wants_experienced: bool = False
    meeting_name: str = ""
    meeting_lat: float | None = None
    meeting_lon: float | None = None
    early_minutes: int = 30
    late_minutes: int = 15

    def columns(self) -> dict[str, Any]:
        """Return the model's columns; the category is the kind's own unless named."""
        values = asdict(self)
        values["seats_total"] = values.pop("seats")
        values["category"] = self.category or self.kind
        values["required_skills"] = list(self.required_skills)
        return values


@dataclass(kw_only=True)
class Faults:
    by_field: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, message: str) -> None:
        self.by_field.setdefault(name, []).append(message)

    def stop(self) -> None:
        if self.by_field:
            raise BadInput(self.by_field)


def local_date(at: datetime, community: Community) -> date:
    """Return the date of an instant by the community's clock."""
    return at.astimezone(ZoneInfo(community.zone)).date()


class Lead(Protocol):
    """A rule that says whether somebody leads a place."""

    def __call__(self, actor: Member, /, *, community: Community, cell: Cell | None) -> bool: ...


def place_led_by(
    community_id: int, cell_id: int | None, actor: Member, *, may: Lead = leads
) -> tuple[Community, Cell | None]:
    """Return community and cell that the actor leads; NotFound, NotAllowed, BadInput."""
    community = community_visible_to(actor, community_id)
    cell = None
    if cell_id is not None:
        cell = Cell.objects.filter(pk=cell_id, retired_at=None).first()
        if cell is None or cell.community_id != community.pk:
            raise BadInput({"cell": [_("This community has no such cell.")]})
        cell.community = community
    if not may(actor, community=community, cell=cell):
        raise NotAllowed
    return community, cell


def check_duty(faults: Faults, duty: DutyFields) -> None:
    if not duty.title.strip():
        faults.add("title", _("Give it a name."))
    if not 1 <= duty.seats <= MOST_SEATS:
        faults.add("seats", _("A shift has 1 to %(most)s seats.") % {"most": MOST_SEATS})
    if (duty.meeting_lat is None) != (duty.meeting_lon is None):
        faults.add("meeting_lat", _("Give latitude and longitude together."))
    wanted = set(duty.required_skills)
    if wanted:
        known = set(Skill.objects.filter(code__in=wanted).values_list("code", flat=True))
        for code in sorted(wanted - known):
            faults.add("required_skills", _("There is no skill “%(code)s”.") % {"code": code})


def new_shift(
    community: Community,
    cell: Cell | None,
    starts_at: datetime,
    ends_at: datetime,
    columns: dict[str, Any],
) -> Shift:
    return Shift(
        community=community,
        cell=cell,
        starts_at=starts_at,
        ends_at=ends_at,
        local_date=local_date(starts_at, community),
        open_seats=columns["seats_total"],
        meeting_code="".join(secrets.choice(_CODE_LETTERS) for _at in range(6)),
        **columns,
    )


def insert_shifts(shifts: list[Shift]) -> None:
    Shift.objects.bulk_create(shifts)
    Seat.objects.bulk_create(
        seat for shift in shifts for seat in _seats(shift, 1, shift.seats_total)
    )


def _seats(shift: Shift, first: int, last: int) -> Iterable[Seat]:
    return (
        Seat(shift=shift, index=index, starts_at=shift.starts_at, ends_at=shift.ends_at)
        for index in range(first, last + 1)
    )


def call_off(shift: Shift, seats: list[Seat], members: dict[int, Member]) -> None:
    for seat in seats:
        if seat.member_id is not None:
            free_seat(seat, shift, members[seat.member_id], by=By.CAPTAIN)
    shift.state = Shift.State.CANCELLED
    shift.save(update_fields=["state"])
    events.record_shift(events.ShiftCancelled, shift, members=sorted(members))


def resize(shift: Shift, seats: list[Seat]) -> list[Seat]:
    """Add seats at the end or take open ones away, highest number first; SeatsTaken."""
    surplus = len(seats) - shift.seats_total
    if surplus < 0:
        last = max(seat.index for seat in seats)
        return [*seats, *Seat.objects.bulk_create(_seats(shift, last + 1, last - surplus))]
    if surplus == 0:
        return seats
    gone = [seat for seat in reversed(seats) if seat.state == Seat.State.OPEN][:surplus]
    if len(gone) < surplus:
        raise SeatsTaken
    try:
        Seat.objects.filter(pk__in=[seat.pk for seat in gone]).delete()
    except ProtectedError as error:
        raise SeatsTaken from error
    return [seat for seat in seats if seat not in gone]


_COLUMNS = (
    "kind", "category", "title", "seats_total", "required_skills", "wants_experienced",
    "meeting_name", "meeting_lat", "meeting_lon", "early_minutes", "late_minutes",
)  # fmt: skip


def columns_of(duty: Activity | Shift) -> dict[str, Any]:
    return {name: getattr(duty, name) for name in _COLUMNS}


def duty_of(duty: Activity | Shift) -> dict[str, Any]:
    columns = columns_of(duty)
    columns["seats"] = columns.pop("seats_total")
    return {**columns, "required_skills": tuple(columns["required_skills"])}


def changed_duty(duty: Activity | Shift, changes: dict[str, Any]) -> DutyFields:
    """Return the duty with its changes; a category that was the kind's own follows the kind."""
    said = {name: changes[name] for name in DutyFields.__dataclass_fields__ if name in changes}
    if "category" not in said and duty.category == duty.kind:
        said["category"] = ""
    return DutyFields(**{**duty_of(duty), **said})
