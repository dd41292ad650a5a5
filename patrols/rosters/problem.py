"""What a roster has to decide: seats, members, rules and weights, with no word of Django.

The JSON form (`Problem.to_json`) is documented in docs/roster-format.md; it holds all that is
needed to check a plan, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

SCHEMA = "linli-roster-problem/1"


class ProblemError(ValueError):
    """The description contradicts itself; the message names the culprit."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, from `starts_at` (in) to `ends_at` (out); both aware."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SeatSpec:
    """One place in a shift; all seats of a shift share its times, cell and kind."""

    id: int
    shift_id: int
    starts_at: datetime
    ends_at: datetime
    cell_id: int | None = None  # None: open to members of every cell
    kind: str = "patrol"
    skills: frozenset[str] = frozenset()  # all of them are required
    lat: float | None = None
    lon: float | None = None
    locked: int | None = None  # the member a captain has fixed here
    weight: int = 1


@dataclass(frozen=True, slots=True)
class ShiftSpec:
    """A team: its seats are the wished number, `least` the number it should not go below."""

    id: int
    least: int = 0
    wants_experienced: bool = False


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """One person and all the rules that hold for them.

    Limits count the seats of this plan, locked ones included; whoever holds other seats in the
    period is given lower limits by the caller. `busy` are such held shifts (of any week): they
    count for overlap, rest and days in a row. `past_load` is in seats (it may be decayed).
    """

    id: int
    skills: frozenset[str] = frozenset()
    experienced: bool = False
    home_cell: int | None = None
    other_cells: frozenset[int] = frozenset()  # cells they also walk, the neighbouring ones
    available: tuple[Window, ...] = ()
    busy: tuple[Window, ...] = ()
    wishes: dict[int, int] = field(default_factory=dict, hash=False)  # shift → + wants, − avoids
    least_minutes: int = 0
    most_minutes: int | None = None
    most_shifts: int | None = None
    least_rest_minutes: int = 0
    most_days_in_row: int | None = None
    past_load: float = 0
    together: frozenset[int] = frozenset()  # naming the other on one side is enough
    apart: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Weights:
    """Integer prices of what a plan lacks; each rank outweighs the next in everyday sizes."""

    open: int = 100_000  # per empty seat, times the seat's weight
    below_least: int = 50_000  # per seat missing below the shift's least, on top of `open`
    inexperienced: int = 20_000  # per shift that wants an experienced member and has none
    wish: int = 300  # per unit of a wish
    together: int = 200  # per wanted pair and shift
    least_minutes: int = 1  # per minute missing below a member's least
    load: int = 5  # times 2·(past load + k) − 1 for a member's k-th seat: squares of the total
    way: int = 2  # per seat outside the member's home cell


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole period to plan; a day is the local date in `zone` on which a seat starts."""

    seats: tuple[SeatSpec, ...]
    shifts: tuple[ShiftSpec, ...]
    members: tuple[MemberSpec, ...]
    weights: Weights = Weights()
    zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        """Refuse a description that contradicts itself (`ProblemError`)."""
        shift_ids = _unique("shift", [shift.id for shift in self.shifts])
        member_ids = _unique("member", [member.id for member in self.members])
        _unique("seat", [seat.id for seat in self.seats])
        by_shift: dict[int, SeatSpec] = {}
        locked: dict[int, set[int]] = defaultdict(set)
        for seat in self.seats:
            _check_window(f"seat {seat.id}", seat.starts_at, seat.ends_at)
            if seat.shift_id not in shift_ids:
                raise ProblemError(f"seat {seat.id}: no shift {seat.shift_id}")
            if seat.weight < 0:
                raise ProblemError(f"seat {seat.id}: weight below 0")
            first = by_shift.setdefault(seat.shift_id, seat)
            if (seat.starts_at, seat.ends_at, seat.cell_id, seat.kind) != (
                first.starts_at,
                first.ends_at,
                first.cell_id,
                first.kind,
            ):
                raise ProblemError(f"seats {first.id} and {seat.id}: one shift, two times or cells")
            if seat.locked is not None:
                if seat.locked not in member_ids:
                    raise ProblemError(f"seat {seat.id}: locked for unknown member {seat.locked}")
                if seat.locked in locked[seat.shift_id]:
                    raise ProblemError(f"shift {seat.shift_id}: {seat.locked} is locked twice")
                locked[seat.shift_id].add(seat.locked)
        for member in self.members:
            for window in (*member.available, *member.busy):
                _check_window(f"member {member.id}", window.starts_at, window.ends_at)
            if member.past_load < 0 or member.least_rest_minutes < 0:
                raise ProblemError(f"member {member.id}: load or rest below 0")
            if member.most_days_in_row is not None and member.most_days_in_row < 1:
                raise ProblemError(f"member {member.id}: most days in a row below 1")
        if any(value < 0 for value in asdict(self.weights).values()):
            raise ProblemError("weights: below 0")
        ZoneInfo(self.zone)

    def to_json(self) -> dict[str, Any]:
        """Return the plain form: lists in the given order, sets sorted, instants ISO 8601."""
        return {
            "schema": SCHEMA,
            "zone": self.zone,
            "weights": asdict(self.weights),
            "shifts": [_plain(shift) for shift in self.shifts],
            "seats": [_plain(seat) for seat in self.seats],
            "members": [_plain(member) for member in self.members],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Problem:
        """Read the form `to_json` writes; raise `ProblemError` for another schema."""
        if data.get("schema") != SCHEMA:
            raise ProblemError(f"schema {data.get('schema')!r}, expected {SCHEMA!r}")
        return cls(
            zone=data["zone"],
            weights=Weights(**data["weights"]),
            shifts=tuple(ShiftSpec(**row) for row in data["shifts"]),
            seats=tuple(_seat(row) for row in data["seats"]),
            members=tuple(_member(row) for row in data["members"]),
        )


def _unique(what: str, ids: list[int]) -> set[int]:
    seen: set[int] = set()
    for one in ids:
        if one in seen:
            raise ProblemError(f"{what} {one} is there twice")
        seen.add(one)
    return seen


def _check_window(who: str, starts_at: datetime, ends_at: datetime) -> None:
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise ProblemError(f"{who}: an instant without a time zone")
    if ends_at <= starts_at:
        raise ProblemError(f"{who}: ends before it starts")


def _plain(spec: Any) -> dict[str, Any]:
    return {one.name: _plain_value(getattr(spec, one.name)) for one in fields(spec)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(window) for window in value]
    if isinstance(value, dict):
        return {str(key): value[key] for key in sorted(value)}
    return value


def _window(row: dict[str, str]) -> Window:
    return Window(datetime.fromisoformat(row["starts_at"]), datetime.fromisoformat(row["ends_at"]))


def _seat(row: dict[str, Any]) -> SeatSpec:
    window = _window(row)
    times = {"starts_at": window.starts_at, "ends_at": window.ends_at}
    return SeatSpec(**{**row, **times, "skills": frozenset(row["skills"])})


def _member(row: dict[str, Any]) -> MemberSpec:
    sets = {name: frozenset(row[name]) for name in ("skills", "other_cells", "together", "apart")}
    return MemberSpec(
        **{
            **row,
            **sets,
            "available": tuple(_window(one) for one in row["available"]),
            "busy": tuple(_window(one) for one in row["busy"]),
            "wishes": {int(shift): weight for shift, weight in row["wishes"].items()},
        }
    )
