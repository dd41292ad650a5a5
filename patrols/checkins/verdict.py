"""What a check-in proves: pure rules, no Django.

Three answers: refused (the time can't be right: `too_early`, `too_late`), accepted, or review with
reasons. What reaches us is never lost for being odd: only the four refusals of the contract turn
somebody away. A wrong code is `review`, never a refusal: a refusal would let people guess the code
until it fits, and would throw away what a phone kept while it had no network. It may be typed again
a few times, at once.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# A mistyped code may be typed again: by somebody who stands there, and too seldom to be guessed.
RETYPES = 4
RETYPE_WITHIN = timedelta(minutes=15)

Kind = Literal["in", "out"]

CLOCK_TOLERANCE = timedelta(minutes=2)
LATE_UPLOAD = timedelta(hours=72)
# People forget to check out: an hour is forgiven, until next morning somebody looks at it.
OUT_ON_TIME = timedelta(minutes=60)
OUT_AT_LATEST = timedelta(hours=12)
# A reported accuracy widens the cell by at most this; a worse one than WEAK_M proves nothing.
WIDEN_AT_MOST_M = 100.0
WEAK_M = 150.0
PRESENCE_REASONS = frozenset(
    {"wrong_code", "no_evidence", "no_place", "weak_position", "outside_cell"}
)


@dataclass(frozen=True)
class Window:
    """When a shift takes place, and how early and late a check-in may be, in minutes."""

    starts_at: datetime
    ends_at: datetime
    early_minutes: int
    late_minutes: int


@dataclass(frozen=True)
class Position:
    """Metres from the border of the shift's place: 0 inside, None where it has no place.

    `accuracy_m` is the radius that the phone reports, None where it reports none.
    """

    distance_m: float | None
    accuracy_m: float | None


@dataclass(frozen=True)
class Evidence:
    """What was sent; `code_right` is None without a code, `other_at` the opposite check-in's time.

    `occurred_at` is the phone's word, `received_at` ours.
    """

    kind: Kind
    occurred_at: datetime
    received_at: datetime
    position: Position | None = None
    code_right: bool | None = None
    other_at: datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """`refusal` (a code), or the reasons for a review; neither means accepted."""

    method: Literal["position", "code", "none"] = "none"
    reasons: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def verdict(self) -> Literal["accepted", "review"]:
        """Return the verdict; ValueError for what was refused, which has none."""
        if self.refusal is not None:
            raise ValueError(f"refused, so there is no verdict: {self.refusal}")
        return "review" if self.reasons else "accepted"


def judge(window: Window, evidence: Evidence) -> Judgement:
    """Judge one check-in or check-out by the time at which it occurred."""
    refusal = _refusal(window, evidence)
    if refusal:
        return Judgement(refusal=refusal)
    method, presence = _presence(evidence.position, evidence.code_right)
    return Judgement(method=method, reasons=(*_time_reasons(window, evidence), *presence))


def judge_code_again(
    stored: Sequence[str], *, position: Position | None, code_right: bool
) -> Judgement:
    """Judge a code typed again: of the stored reasons those of the time stay.

    The time was judged when it reached us; since then the shift may have changed, and the opposite
    check-in come, neither of which makes it earlier or later.
    """
    method, presence = _presence(position, code_right)
    of_time = [reason for reason in stored if reason not in PRESENCE_REASONS]
    return Judgement(method=method, reasons=(*of_time, *presence))


def _refusal(window: Window, evidence: Evidence) -> str | None:
    at = evidence.occurred_at
    if evidence.kind == "in":
        if at < window.starts_at - timedelta(minutes=window.early_minutes):
            return "too_early"
        return "too_late" if at > window.ends_at else None
    if at < window.starts_at:
        return "too_early"
    return "too_late" if at > window.ends_at + OUT_AT_LATEST else None


def _time_reasons(window: Window, evidence: Evidence) -> list[str]:
    at, other = evidence.occurred_at, evidence.other_at
    reasons = []
    if evidence.kind == "in":
        if at > window.starts_at + timedelta(minutes=window.late_minutes):
            reasons.append("late_arrival")
        if other is not None:
            reasons.append("out_before_in")
    else:
        if other is None or at < other:
            reasons.append("out_before_in")
        if at > window.ends_at + OUT_ON_TIME:
            reasons.append("late_checkout")
    if at > evidence.received_at + CLOCK_TOLERANCE:
        reasons.append("clock_skew")
    if evidence.received_at - at > LATE_UPLOAD:
        reasons.append("late_upload")
    return reasons


def _presence(
    position: Position | None, right: bool | None
) -> tuple[Literal["position", "code", "none"], list[str]]:
    """Weigh code and position; a right code makes up for a missing or weak position only."""
    reasons = ["wrong_code"] if right is False else []
    if position is None:
        if right is None:
            reasons.append("no_evidence")
    elif position.distance_m is None:
        if not right:
            reasons.append("no_place")
    else:
        accuracy = position.accuracy_m or 0.0
        weak = accuracy > WEAK_M
        if weak and not right:
            reasons.append("weak_position")
        if position.distance_m > (accuracy if weak else min(accuracy, WIDEN_AT_MOST_M)):
            reasons.append("outside_cell")
    if right:
        return "code", reasons
    return ("position" if position is not None else "none"), reasons


def same_code(given: str, shown: str) -> bool:
    """Compare a typed code with the one shown, in constant time; case and spaces don't matter."""
    typed = "".join(given.split()).upper().encode()
    return bool(shown) and hmac.compare_digest(typed, shown.upper().encode())


def minutes_worked(window: Window, in_at: datetime | None, out_at: datetime) -> int:
    """Return the minutes between in and out inside the shift, rounded to the nearest (half up).

    Without a check-in the shift's start is taken; somebody reviews it.
    """
    start = max(in_at or window.starts_at, window.starts_at)
    seconds = (min(out_at, window.ends_at) - start).total_seconds()
    return max(0, int(seconds + 30) // 60)
