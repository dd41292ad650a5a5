"""How a seat may change: the one table, and the refusal that names the step."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from patrols.shifts.models import Seat

S = Seat.State


class By(StrEnum):
    """In which part somebody acts on a seat."""

    HOLDER = "holder"
    CAPTAIN = "captain"
    SYSTEM = "system"


_EVIDENCE = frozenset({By.HOLDER, By.CAPTAIN, By.SYSTEM})
_IN_CHARGE = frozenset({By.CAPTAIN, By.SYSTEM})

# (from, to) → who may. A check-out without a check-in, and evidence that arrives after somebody
# was written off as absent, are honest cases of phones without a net: they are let through and
# judged by the check-in's verdict.
SEAT_STEPS: dict[tuple[str, str], frozenset[By]] = {
    (S.OPEN, S.CLAIMED): frozenset({By.HOLDER}),
    (S.OPEN, S.ASSIGNED): _IN_CHARGE,
    (S.CLAIMED, S.OPEN): _EVIDENCE,
    (S.ASSIGNED, S.OPEN): _EVIDENCE,
    (S.CLAIMED, S.CHECKED_IN): _EVIDENCE,
    (S.ASSIGNED, S.CHECKED_IN): _EVIDENCE,
    (S.CLAIMED, S.CHECKED_OUT): _EVIDENCE,
    (S.ASSIGNED, S.CHECKED_OUT): _EVIDENCE,
    (S.CHECKED_IN, S.CHECKED_OUT): _EVIDENCE,
    (S.CLAIMED, S.NO_SHOW): _IN_CHARGE,
    (S.ASSIGNED, S.NO_SHOW): _IN_CHARGE,
    (S.NO_SHOW, S.CHECKED_IN): _EVIDENCE,
    (S.NO_SHOW, S.CHECKED_OUT): _EVIDENCE,
}


class SeatStepRefused(DomainError):
    """The seat's state doesn't allow this step to this person; `data` has from, to and by."""

    code = "wrong_state"
    detail = _("The seat's state doesn't allow this any more.")


def step(seat: Seat, to: str, *, by: By) -> None:
    """Set the seat's state, or raise SeatStepRefused naming from, to and who; saves nothing."""
    if by not in SEAT_STEPS.get((seat.state, to), frozenset()):
        # `from` is a keyword, so the facts go in as a mapping.
        raise SeatStepRefused(**{"from": str(seat.state), "to": str(to), "by": str(by)})
    seat.state = to
