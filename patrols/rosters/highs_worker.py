"""Solves one integer programme with HiGHS; run as a script in a process of its own.

OR-Tools and highspy both carry a HiGHS and can't be loaded into one process; apart, the solve
can also be ended at once and gives its memory back. Reads a model from `DIR/model.npz`, prints
one JSON line per improvement ("objective", "bound"), and writes `DIR/answer.npz`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import highspy
import numpy as np


def main(folder: Path) -> None:
    """Solve the model in `folder`."""
    data = np.load(folder / "model.npz")
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    for name, value in (
        ("threads", 1),
        ("random_seed", int(data["seed"])),
        ("time_limit", float(data["seconds"])),
        # A plan is handed in; this heuristic took 40 s of a city week to find a worse one.
        ("mip_heuristic_run_feasibility_jump", False),
        ("mip_rel_gap", 0.0),
        # Prices are integers: less than one apart is optimal.
        ("mip_abs_gap", 0.99),
        ("mip_max_nodes", int(data["nodes"])),
    ):
        highs.setOptionValue(name, value)
    columns, rows = len(data["costs"]), len(data["low"])
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.col_cost_ = data["costs"]
    lp.col_lower_ = np.zeros(columns)
    lp.col_upper_ = data["upper"]
    lp.row_lower_, lp.row_upper_ = data["low"], data["high"]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = data["starts"]
    lp.a_matrix_.index_ = data["index"]
    lp.a_matrix_.value_ = data["value"]
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger if on else kinds.kContinuous for on in data["integral"]]
    highs.passModel(lp)
    if len(data["hint_index"]):
        highs.setSolution(len(data["hint_index"]), data["hint_index"], data["hint_value"])
    last: list[tuple[float, float]] = []

    def report(event: Any) -> None:
        now = (event.data_out.mip_primal_bound, event.data_out.mip_dual_bound)
        if not last or last[0] != now:
            last[:] = [now]
            print(json.dumps({"objective": now[0], "bound": now[1]}), flush=True)

    highs.cbMipLogging += report
    highs.run()
    info = highs.getInfo()
    status = highs.getModelStatus()
    has_plan = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    np.savez(
        folder / "answer.npz",
        values=np.array(highs.getSolution().col_value if has_plan else []),
        bound=info.mip_dual_bound,
        optimal=status == highspy.HighsModelStatus.kOptimal,
        out_of_time=status == highspy.HighsModelStatus.kTimeLimit,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
