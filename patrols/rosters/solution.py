"""What the solver answers: who sits where, what stays open and why, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = "linli-roster-solution/1"

TERMS = (
    "open",
    "below_least",
    "inexperienced",
    "wishes",
    "together",
    "least_minutes",
    "load",
    "way",
)
"""The parts of the objective, in the order of `Weights`; all are minimised, two may be negative."""

ReasonCode = Literal[
    "nobody_has_skill",
    "nobody_available",
    "all_at_limit",
    "all_would_overlap_or_lack_rest",
    "all_kept_apart",
    "not_worth_it",
    "no_time_left",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a seat stays open; `data` holds head counts (and the limit, where all share it)."""

    code: ReasonCode
    data: dict[str, int]

    def describe(self) -> str:
        """Say it in English; the screens translate `code` and `data` themselves."""
        data = self.data
        if self.code == "nobody_has_skill":
            return f"none of the {data['eligible']} people of these cells has the skills"
        if self.code == "nobody_available":
            return f"none of the {data['skilled']} people with the skills is available then"
        if self.code == "all_at_limit":
            limit = f" of {data['limit']}" if "limit" in data else ""
            return (
                f"{data['at_limit']} of the {data['available']} available people have reached "
                f"their limit{limit}"
            )
        if self.code == "all_would_overlap_or_lack_rest":
            return (
                f"{data['overlap_or_rest']} of the {data['available']} available people have "
                "another shift then or too little rest"
            )
        if self.code == "all_kept_apart":
            return (
                f"{data['apart']} of the {data['available']} available people must not be in "
                "this team"
            )
        if self.code == "not_worth_it":
            return f"{data['free']} people could come, but wishes or weights speak against it"
        return f"{data['free']} people could come, but the time to plan was up"


@dataclass(frozen=True, slots=True)
class OpenSeat:
    """A seat without a member."""

    seat: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Why:
    """What spoke for one assignment: the wish met, the way, and the turn."""

    wish: int
    home_cell: bool
    load: float  # seats carried before this plan
    locked: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running solve is; `objective` is None until there is a plan."""

    phase: str
    seconds: float
    objective: int | None
    bound: float | None


@dataclass(frozen=True, slots=True)
class Solution:
    """A valid plan with its price, and a price that no valid plan can go below.

    `gap` is (objective − bound) / max(1, |objective|); 0 means proven optimal. `cut_off` says
    that the wall clock or a cancel ended the search, so another run may give another plan.
    """

    seats: dict[int, int]
    open: tuple[OpenSeat, ...]
    terms: dict[str, int]
    objective: int
    bound: float
    gap: float
    seconds: float
    method: str
    cut_off: bool
    why: dict[int, Why] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the plain form written as solution.json."""
        return {
            "schema": SCHEMA,
            "seats": {str(seat): self.seats[seat] for seat in sorted(self.seats)},
            "open": [
                {
                    "seat": one.seat,
                    "reason": {"code": one.reason.code, "data": one.reason.data},
                    "text": one.reason.describe(),
                }
                for one in self.open
            ],
            "terms": self.terms,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "seconds": self.seconds,
            "method": self.method,
            "cut_off": self.cut_off,
            "why": {
                str(seat): {
                    "wish": why.wish,
                    "home_cell": why.home_cell,
                    "load": why.load,
                    "locked": why.locked,
                }
                for seat, why in sorted(self.why.items())
            },
        }
