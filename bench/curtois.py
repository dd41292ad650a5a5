"""The public shift-scheduling instances (Curtois and Qu 2014): reader, model, own cost check."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path

from ortools.sat.python import cp_model

WEEKEND = (5, 6)  # day 0 is a Monday


@dataclass(slots=True)
class Staff:
    """One row of SECTION_STAFF, with the days off."""

    id: str
    most_by_shift: dict[str, int]
    most_minutes: int
    least_minutes: int
    most_in_row: int
    least_in_row: int
    least_off_in_row: int
    most_weekends: int
    off: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Instance:
    """One file: requests are (staff, day, shift) → weight, cover (day, shift) → 3 numbers."""

    days: int = 0
    minutes: dict[str, int] = field(default_factory=dict)
    not_after: dict[str, set[str]] = field(default_factory=dict)  # shift → forbidden next day
    staff: dict[str, Staff] = field(default_factory=dict)
    on: dict[tuple[str, int, str], int] = field(default_factory=dict)
    off: dict[tuple[str, int, str], int] = field(default_factory=dict)
    cover: dict[tuple[int, str], tuple[int, int, int]] = field(default_factory=dict)


Plan = dict[tuple[str, int], str]


def read(path: Path) -> Instance:
    """Read an instance; raise `ValueError` for a section this reader doesn't know."""
    found, section = Instance(), ""
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("SECTION_"):
            section = line
        else:
            _read_row(found, section, line.split(","))
    return found


def _read_row(found: Instance, section: str, cells: list[str]) -> None:
    if section == "SECTION_HORIZON":
        found.days = int(cells[0])
    elif section == "SECTION_SHIFTS":
        found.minutes[cells[0]] = int(cells[1])
        found.not_after[cells[0]] = {one for one in cells[2].split("|") if one}
    elif section == "SECTION_STAFF":
        most = {one.split("=")[0]: int(one.split("=")[1]) for one in cells[1].split("|")}
        found.staff[cells[0]] = Staff(
            id=cells[0],
            most_by_shift=most,
            most_minutes=int(cells[2]),
            least_minutes=int(cells[3]),
            most_in_row=int(cells[4]),
            least_in_row=int(cells[5]),
            least_off_in_row=int(cells[6]),
            most_weekends=int(cells[7]),
        )
    elif section == "SECTION_DAYS_OFF":
        found.staff[cells[0]].off |= {int(one) for one in cells[1:]}
    elif section == "SECTION_SHIFT_ON_REQUESTS":
        found.on[cells[0], int(cells[1]), cells[2]] = int(cells[3])
    elif section == "SECTION_SHIFT_OFF_REQUESTS":
        found.off[cells[0], int(cells[1]), cells[2]] = int(cells[3])
    elif section == "SECTION_COVER":
        found.cover[int(cells[0]), cells[1]] = (int(cells[2]), int(cells[3]), int(cells[4]))
    else:
        raise ValueError(f"unknown section {section!r}")


def cost(instance: Instance, plan: Plan) -> int:
    """Return the plan's cost as the instance's authors define it."""
    total = sum(w for (who, day, code), w in instance.on.items() if plan.get((who, day)) != code)
    total += sum(w for (who, day, code), w in instance.off.items() if plan.get((who, day)) == code)
    for (day, code), (wanted, under, over) in instance.cover.items():
        there = sum(plan.get((who, day)) == code for who in instance.staff)
        total += under * max(0, wanted - there) + over * max(0, there - wanted)
    return total


def faults(instance: Instance, plan: Plan) -> list[str]:
    """Return each broken rule in words."""
    found = []
    days = range(instance.days)
    for who, staff in instance.staff.items():
        row = [plan.get((who, day)) for day in days]
        worked = [code for code in row if code]
        minutes = sum(instance.minutes[code] for code in worked)
        if not staff.least_minutes <= minutes <= staff.most_minutes:
            found.append(f"{who}: {minutes} minutes")
        found += [
            f"{who}: too often {code}"
            for code, most in staff.most_by_shift.items()
            if worked.count(code) > most
        ]
        found += [f"{who}: works on day off {day}" for day in staff.off if row[day]]
        found += [
            f"{who}: {row[day]} then {row[day + 1]} on day {day}"
            for day in days[:-1]
            if row[day] and row[day + 1] in instance.not_after[row[day] or ""]
        ]
        weekends = {day // 7 for day in days if day % 7 in WEEKEND and row[day]}
        if len(weekends) > staff.most_weekends:
            found.append(f"{who}: {len(weekends)} weekends")
        start = 0
        for day in range(1, instance.days + 1):
            if day < instance.days and bool(row[day]) == bool(row[start]):
                continue
            length, inner = day - start, start > 0 and day < instance.days
            if row[start] and length > staff.most_in_row:
                found.append(f"{who}: {length} days in a row from {start}")
            # What lies beyond the horizon is assumed to fit, so edge runs may be short.
            if row[start] and inner and length < staff.least_in_row:
                found.append(f"{who}: only {length} days in a row from {start}")
            if not row[start] and inner and length < staff.least_off_in_row:
                found.append(f"{who}: only {length} days off from {start}")
            start = day
    return found


def solve(instance: Instance, *, seconds: float, seed: int) -> tuple[Plan, float, float, bool]:
    """Return plan, bound, seconds and whether the clock cut the search off; one CP-SAT model."""
    model = cp_model.CpModel()
    days = range(instance.days)
    x = {
        (who, day, code): model.new_bool_var(f"{who}_{day}_{code}")
        for who, staff in instance.staff.items()
        for day in days
        for code in instance.minutes
        if day not in staff.off and staff.most_by_shift.get(code, instance.days) > 0
    }
    for staff in instance.staff.values():
        _add_staff(instance, model, x, staff)
    price: list[cp_model.LinearExprT] = []
    for (day, code), (wanted, under, over) in instance.cover.items():
        here = [x[who, day, code] for who in instance.staff if (who, day, code) in x]
        short = model.new_int_var(0, wanted, "")
        extra = model.new_int_var(0, max(0, len(here) - wanted), "")
        model.add(sum(here) + short - extra == wanted)
        price += [under * short, over * extra]
    constant = 0
    for key, weight in instance.on.items():
        constant += weight
        if key in x:
            price.append(-weight * x[key])
    price += [weight * x[key] for key, weight in instance.off.items() if key in x]
    model.minimize(sum(price) + constant)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    started = time.monotonic()
    status = solver.solve(model)
    took = time.monotonic() - started
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise RuntimeError(f"no plan: {solver.status_name(status)}")
    plan = {(who, day): code for (who, day, code), var in x.items() if solver.value(var)}
    return plan, solver.best_objective_bound, took, status != cp_model.OPTIMAL


def _add_staff(
    instance: Instance,
    model: cp_model.CpModel,
    x: dict[tuple[str, int, str], cp_model.IntVar],
    staff: Staff,
) -> None:
    who, last = staff.id, instance.days
    works = []
    for day in range(last):
        on = model.new_bool_var(f"{who}_{day}")
        model.add(sum(x[who, day, c] for c in instance.minutes if (who, day, c) in x) == on)
        works.append(on)
    for day in range(last - 1):
        for code, banned in instance.not_after.items():
            after = [x[who, day + 1, b] for b in sorted(banned) if (who, day + 1, b) in x]
            if after and (who, day, code) in x:
                model.add(sum(after) + x[who, day, code] <= 1)
    for code, most in staff.most_by_shift.items():
        if 0 < most < last:
            model.add(sum(x[who, d, code] for d in range(last) if (who, d, code) in x) <= most)
    minutes = sum(instance.minutes[c] * var for (w, _, c), var in x.items() if w == who)
    model.add_linear_constraint(minutes, staff.least_minutes, staff.most_minutes)
    for day in range(last - staff.most_in_row):
        model.add(sum(works[day : day + staff.most_in_row + 1]) <= staff.most_in_row)
    # No inner run of `length` days that is shorter than the least.
    for length in range(1, staff.least_in_row):
        for day in range(last - length - 1):
            run = works[day + 1 : day + 1 + length]
            model.add_bool_or(
                [works[day], *(one.negated() for one in run), works[day + length + 1]]
            )
    for length in range(1, staff.least_off_in_row):
        for day in range(last - length - 1):
            run = works[day + 1 : day + 1 + length]
            model.add_bool_or([works[day].negated(), *run, works[day + length + 1].negated()])
    weekends = []
    for saturday in range(WEEKEND[0], last, 7):
        on = model.new_bool_var(f"{who}_weekend_{saturday}")
        model.add_max_equality(on, works[saturday : saturday + 2])
        weekends.append(on)
    model.add(sum(weekends) <= staff.most_weekends)


def write(instance: Instance, plan: Plan, path: Path) -> None:
    """Write one CSV row per staff member: id, then a shift code or nothing per day."""
    with path.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        for who in instance.staff:
            rows.writerow([who, *(plan.get((who, day), "") for day in range(instance.days))])
