"""Solve a run from queued to ready: each step in a unit of work of its own, the search in none."""

from collections.abc import Callable

from common import clock
from common.unit_of_work import unit_of_work
from patrols.rosters import services
from patrols.rosters.assemble import build_problem
from patrols.rosters.models import RosterRun
from patrols.rosters.problem import Problem
from patrols.rosters.solution import Progress, Solution
from patrols.rosters.solver import solve

# Within a tenth of a per cent of the proven bound nobody can tell the plans apart.
GAP = 0.001


def solve_now(
    run_id: int, *, on_progress: Callable[[Progress], None] | None = None
) -> tuple[RosterRun, Problem, Solution]:
    """Solve a run in this process; on any error it is marked failed and the error raised."""
    with unit_of_work(None) as work:
        run = services.start_run(run_id=run_id, now=work.now)
    try:
        problem = build_problem(run.community, from_on=run.from_on, days=run.days, now=clock.now())
        solution = solve(
            problem, seconds=run.seconds_allowed, seed=run.seed, gap=GAP, on_progress=on_progress
        )
        with unit_of_work(None) as work:
            run = services.finish_run(
                run_id=run_id, problem=problem, solution=solution, now=work.now
            )
    except Exception as error:
        with unit_of_work(None) as work:
            services.fail_run(run_id=run_id, error=str(error) or repr(error), now=work.now)
        raise
    return run, problem, solution
