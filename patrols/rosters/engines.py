"""Two engines for one `Model`: HiGHS in a process of its own, and CP-SAT for small parts."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from patrols.rosters.model import Model

WORKER = Path(__file__).with_name("highs_worker.py")
GRACE_SECONDS = 5.0  # HiGHS looks at its clock between steps, some of which are long


@dataclass(frozen=True, slots=True)
class Answer:
    """Edges in use (None without a plan), a bound on the model's objective, and how it ended."""

    edges: list[int] | None
    bound: float
    optimal: bool
    cut_off: bool


def run_highs(
    model: Model,
    *,
    seconds: float,
    seed: int,
    hint: set[int] | None = None,
    nodes: int = 100_000,
    on_bound: Callable[[float, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Answer:
    """Solve by branch and cut within `seconds`; `on_bound` hears (objective, bound).

    `hint` holds the edges of a plan to start from.
    """
    with tempfile.TemporaryDirectory(prefix="linli-roster-") as name:
        folder = Path(name)
        _write(model, folder / "model.npz", seconds=seconds, seed=seed, nodes=nodes, hint=hint)
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        reader = threading.Thread(target=_listen, args=(worker, on_bound), daemon=True)
        reader.start()
        stopped, waited = False, 0.0
        while not stopped:
            try:
                worker.wait(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                waited += 0.1
                stopped = waited > seconds + GRACE_SECONDS or bool(cancelled and cancelled())
        if stopped:
            worker.kill()
        worker.wait()
        reader.join()
        error = worker.stderr.read() if worker.stderr else ""
        for pipe in (worker.stdout, worker.stderr):
            if pipe:
                pipe.close()
        if stopped:
            return Answer(edges=None, bound=float("-inf"), optimal=False, cut_off=True)
        if worker.returncode:
            raise RuntimeError(f"the HiGHS worker failed: {error.strip()[-500:]}")
        with np.load(folder / "answer.npz") as answer:
            values = answer["values"]
            edges = None
            if len(values):
                edges = [edge for edge, at in model.edge_column.items() if values[at] > 0.5]
            return Answer(
                edges=edges,
                bound=float(answer["bound"]),
                optimal=bool(answer["optimal"]),
                cut_off=bool(answer["out_of_time"]),
            )


def _listen(worker: Any, on_bound: Callable[[float, float], None] | None) -> None:
    for line in worker.stdout:
        if on_bound and line.startswith("{"):
            row = json.loads(line)
            on_bound(row["objective"], row["bound"])


def _write(
    model: Model, path: Path, *, seconds: float, seed: int, nodes: int, hint: set[int] | None
) -> None:
    starts, index, value = [0], [], []
    for _, _, terms in model.rows:
        index += [column for column, _ in terms]
        value += [factor for _, factor in terms]
        starts.append(len(index))
    np.savez(
        path,
        costs=np.array(model.costs, dtype=float),
        upper=np.array(model.upper, dtype=float),
        integral=np.array(model.integral, dtype=bool),
        low=np.array([-np.inf if low is None else low for low, _, _ in model.rows], dtype=float),
        high=np.array([np.inf if high is None else high for _, high, _ in model.rows], dtype=float),
        starts=np.array(starts, dtype=np.int32),
        index=np.array(index, dtype=np.int32),
        value=np.array(value, dtype=float),
        hint_index=np.array(list(model.edge_column.values()) if hint else [], dtype=np.int32),
        hint_value=np.array(
            [edge in hint for edge in model.edge_column] if hint else [], dtype=float
        ),
        seconds=seconds,
        seed=seed,
        nodes=nodes,
    )


def run_cpsat(model: Model, *, effort: float, seconds: float, seed: int, hint: set[int]) -> Answer:
    """Solve with CP-SAT on one thread within a deterministic `effort`; `hint` holds edges.

    `cut_off` is set when `seconds` of wall clock end it before the effort does.
    """
    sat = cp_model.CpModel()
    variables = [sat.new_int_var(0, upper, "") for upper in model.upper]
    for low, high, terms in model.rows:
        total = cp_model.LinearExpr.weighted_sum(
            [variables[column] for column, _ in terms], [factor for _, factor in terms]
        )
        if high is not None:
            sat.add(total <= high)
        if low is not None:
            sat.add(total >= low)
    sat.minimize(cp_model.LinearExpr.weighted_sum(variables, model.costs))
    for edge, column in model.edge_column.items():
        sat.add_hint(variables[column], int(edge in hint))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = effort
    solver.parameters.max_time_in_seconds = max(0.01, seconds)
    status = solver.solve(sat)
    edges = None
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        edges = [
            edge for edge, column in model.edge_column.items() if solver.value(variables[column])
        ]
    return Answer(
        edges=edges,
        bound=solver.best_objective_bound,
        optimal=status == cp_model.OPTIMAL,
        cut_off=status != cp_model.OPTIMAL and solver.wall_time >= seconds,
    )
