"""How a plan may change state: the one table."""

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from patrols.rosters.models import RosterRun

S = RosterRun.State

# A run whose worker died is taken up again: running → running.
RUN_STEPS: dict[str, frozenset[str]] = {
    S.QUEUED: frozenset({S.RUNNING, S.FAILED}),
    S.RUNNING: frozenset({S.RUNNING, S.READY, S.FAILED}),
    S.READY: frozenset({S.APPLIED}),
    S.APPLIED: frozenset(),
    S.FAILED: frozenset(),
}


class RunStepRefused(DomainError):
    """The plan's state doesn't allow this step; `data` has from, to and by."""

    code = "wrong_state"
    detail = _("This plan can't be used like that now. Please look at its state.")


def step(run: RosterRun, to: str, *, by: str) -> None:
    """Set the run's state, or raise RunStepRefused naming from, to and who; saves nothing."""
    if to not in RUN_STEPS[run.state]:
        raise RunStepRefused(**{"from": str(run.state), "to": str(to), "by": by})
    run.state = to
