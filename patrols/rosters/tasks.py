"""What the worker runs."""

from django_tasks import task

from patrols.rosters.models import RosterRun
from patrols.rosters.solving import solve_now
from patrols.rosters.transitions import RUN_STEPS


@task()
def solve_run(run_id: int) -> None:
    """Solve one run; a run that is done already (a task delivered twice) is left alone."""
    run = RosterRun.objects.filter(pk=run_id).first()
    if run is not None and RosterRun.State.RUNNING in RUN_STEPS[run.state]:
        solve_now(run_id)
