"""Measures the roster solver: a city week, or a public shift-scheduling instance."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from bench import curtois
from bench.city import rongcheng_week
from patrols.rosters.checker import check, score
from patrols.rosters.solver import solve


def city(
    *, seed: int, seconds: float, days_in_row: int | None, scale: float, gap: float
) -> dict[str, Any]:
    """Plan the Rongcheng week; raise `AssertionError` if the plan breaks a rule."""
    problem = rongcheng_week(
        seed=seed,
        cells=int(157 * scale),
        volunteers=int(5_000 * scale),
        days_in_row=days_in_row,
    )
    answer = solve(problem, seconds=seconds, seed=seed, gap=gap)
    assert not check(problem, answer.seats)
    assert score(problem, answer.seats) == answer.terms
    return {
        "seats_total": len(problem.seats),
        "filled": len(answer.seats),
        "objective": answer.objective,
        "bound": answer.bound,
        "gap": answer.gap,
        "seconds": round(answer.seconds, 3),
        "method": answer.method,
        "cut_off": answer.cut_off,
        "terms": answer.terms,
    }


def public(*, path: Path, seconds: float, seed: int, out: Path | None) -> dict[str, Any]:
    """Solve a public instance; raise `AssertionError` if the plan breaks a rule."""
    instance = curtois.read(path)
    plan, bound, took, cut_off = curtois.solve(instance, seconds=seconds, seed=seed)
    assert not curtois.faults(instance, plan), curtois.faults(instance, plan)
    if out is not None:
        curtois.write(instance, plan, out)
    found: dict[str, Any] = {
        "cost": curtois.cost(instance, plan),
        "bound": bound,
        "seconds": round(took, 3),
        "cut_off": cut_off,
    }
    best = _best_known(path)
    if best is not None:
        found |= {"best_known": best, "gap": (found["cost"] - best) / best}
    return found


def _best_known(path: Path) -> int | None:
    table = path.parent / "best_known.csv"
    if not table.exists():
        return None
    with table.open(encoding="utf-8") as rows:
        return next((int(row[1]) for row in csv.reader(rows) if row[0] == path.stem), None)


def main(argv: list[str]) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.rosters", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a public instance")
    parser.add_argument("--city", action="store_true", help="the Rongcheng week")
    parser.add_argument("--days-in-row", type=int, help="with --city: most days in a row")
    parser.add_argument("--scale", type=float, default=1, help="with --city: times its size")
    parser.add_argument("--gap", type=float, default=0, help="with --city: near enough")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where the plan of a public instance goes")
    args = parser.parse_args(argv)
    if args.city == bool(args.file):
        parser.error("give a FILE or --city")
    if args.city:
        found = city(
            seed=args.seed,
            seconds=args.seconds,
            days_in_row=args.days_in_row,
            scale=args.scale,
            gap=args.gap,
        )
    else:
        found = public(path=args.file, seconds=args.seconds, seed=args.seed, out=args.out)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
