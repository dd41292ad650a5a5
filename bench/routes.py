"""Solve an arc-routing instance and print its tours, checked, with their cost.

python -m bench.routes FILE.dat [FILE.dat …] [--seed N] [--effort X] [--seconds S] [--json OUT]

Two formats are read (docs/routes.md): plain numbers, and the one of Corberán's files with
"NOMBRE : …" headers, in Spanish or English.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from grids.zoning.plane import Plane
from patrols.routes import cell, network
from patrols.routes.check import faults
from patrols.routes.problem import Answer, Edge, Problem
from patrols.routes.tours import solve


class Unreadable(ValueError):
    """The file is no instance; the message says why."""


@dataclass(frozen=True)
class Instance:
    """A problem, and how its file counts nodes: from `first`."""

    name: str
    problem: Problem
    first: int
    upper: float | None = None


def read(path: Path) -> Instance:
    """Read an instance of either format; raise Unreadable with the reason."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        if re.search(r"^\s*[A-Za-z_ ]+:", text, re.MULTILINE):
            return _labelled(path.stem, text)
        return _plain(path.stem, text)
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error


def _plain(name: str, text: str) -> Instance:
    """Read: vertices, edges, a line `from to cost demand` each, vehicles, capacity, bounds."""
    lines = [line.split("#", 1)[0].split() for line in text.splitlines()]
    rows = [[float(word) for word in line] for line in lines if line]
    if len(rows) < 4 or len(rows[0]) != 1 or len(rows[1]) != 1:
        raise ValueError("it does not begin with the numbers of vertices and edges")
    vertices, count = int(rows[0][0]), int(rows[1][0])
    listed, rest = rows[2 : 2 + count], rows[2 + count :]
    if len(listed) < count or any(len(row) not in (3, 4) for row in listed):
        raise ValueError(f"it does not list {count} edges as `from to cost demand`")
    tail = [number for row in rest for number in row]
    if len(tail) < 2:
        raise ValueError("the vehicles and their capacity are missing")
    edges = [(int(r[0]), int(r[1]), r[2], r[3] if len(r) == 4 else 0.0) for r in listed]
    ends = [end for a, b, _, _ in edges for end in (a, b)]
    # Files count vertices from 0 or from 1; the depot is the first.
    first = 1 if ends and min(ends) >= 1 and max(ends) == vertices else 0
    return _instance(
        name,
        vertices=vertices,
        first=first,
        depot=first,
        needed=[edge for edge in edges if edge[3] > 0],
        others=[edge for edge in edges if edge[3] <= 0],
        vehicles=int(tail[0]),
        capacity=tail[1],
        upper=tail[3] if len(tail) > 3 else None,
    )


_FIELDS = {
    "name": r"NOMBRE|NAME",
    "vertices": r"VERTICES|NODES|NUMBER OF VERTICES",
    "vehicles": r"VEHICULOS|VEHICLES|NUMBER OF VEHICLES",
    "capacity": r"CAPACIDAD|CAPACITY",
    "depot": r"DEPOSITO|DEPOT",
    "comment": r"COMENTARIO|COMMENT",
}
_NEEDED = r"LISTA_ARISTAS_REQ|LIST_REQ_EDGES|LIST_REQUIRED_EDGES|REQUIRED_EDGES_LIST"
_OTHERS = r"LISTA_ARISTAS_NOREQ|LIST_NOREQ_EDGES|LIST_NON_?REQUIRED_EDGES|NON_?REQUIRED_EDGES_LIST"
_EDGE = re.compile(
    r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*[A-Za-z_ ]*:?\s*([\d.]+)(?:\s*[A-Za-z_ ]+:?\s*([\d.]+))?"
)


def _labelled(name: str, text: str) -> Instance:
    """Read `KEY : value` lines and lists of `( a, b) coste c demanda d`."""
    fields: dict[str, str] = {}
    lists: dict[str, list[tuple[int, int, float, float]]] = {"needed": [], "others": []}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _EDGE.search(line)
        if match:
            if not section:
                raise ValueError(f"line {number}: an edge before any list of edges")
            a, b, cost, demand = match.groups()
            lists[section].append((int(a), int(b), float(cost), float(demand or 0)))
            continue
        key, colon, value = line.partition(":")
        key = key.strip().upper()
        if re.fullmatch(_NEEDED, key):
            section = "needed"
        elif re.fullmatch(_OTHERS, key):
            section = "others"
        elif colon:
            for field, pattern in _FIELDS.items():
                if re.fullmatch(pattern, key):
                    fields[field] = value.strip()
    if not {"vertices", "capacity"} <= fields.keys():
        raise ValueError("VERTICES or CAPACIDAD is missing")
    vertices = int(_number(fields["vertices"]))
    ends = [end for listed in lists.values() for a, b, _, _ in listed for end in (a, b)]
    first = 0 if 0 in ends else 1
    upper = re.search(r"\d+(?:\.\d+)?", fields.get("comment", ""))
    return _instance(
        fields.get("name") or name,
        vertices=vertices,
        first=first,
        depot=int(_number(fields["depot"])) if "depot" in fields else first,
        needed=lists["needed"],
        others=lists["others"],
        vehicles=int(_number(fields["vehicles"])) if "vehicles" in fields else None,
        capacity=_number(fields["capacity"]),
        upper=float(upper.group()) if upper else None,
    )


def _number(text: str) -> float:
    match = re.search(r"\d+(?:\.\d+)?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    return float(match.group())


def _instance(
    name: str,
    *,
    vertices: int,
    first: int,
    depot: int,
    needed: list[tuple[int, int, float, float]],
    others: list[tuple[int, int, float, float]],
    vehicles: int | None,
    capacity: float,
    upper: float | None,
) -> Instance:
    edges = [Edge(a - first, b - first, cost, demand) for a, b, cost, demand in needed]
    edges += [Edge(a - first, b - first, cost, 0, required=False) for a, b, cost, _ in others]
    if not needed:
        raise ValueError("no edge needs service")
    problem = Problem(
        nodes=vertices,
        edges=tuple(edges),
        depot=depot - first,
        capacity=capacity if capacity > 0 else None,
        vehicles=vehicles or None,
    )
    return Instance(name, problem, first, upper)


def report(instance: Instance, answer: Answer, seconds: float) -> dict[str, Any]:
    """Return an answer as JSON; nodes are counted as in the file."""
    problem = instance.problem
    wrong = faults(problem, answer)
    tours = []
    for tour in answer.tours:
        walk = [problem.depot + instance.first]
        served = []
        for step in tour.steps:
            edge = problem.edges[step.edge]
            start, end = (edge.u, edge.v) if step.forward else (edge.v, edge.u)
            walk.append(end + instance.first)
            if step.serves:
                served.append([start + instance.first, end + instance.first])
        tours.append(
            {
                "cost": _plainly(tour.cost),
                "load": _plainly(tour.load),
                "served": served,
                "walk": walk,
            }
        )
    required = sum(problem.edges[number].cost for number in problem.required)
    return {
        "instance": instance.name,
        "cost": _plainly(answer.cost),
        "bound": _plainly(answer.bound),
        "gap": round((answer.cost - answer.bound) / answer.bound, 4) if answer.bound else 0.0,
        "upper_in_file": None if instance.upper is None else _plainly(instance.upper),
        "deadhead_share": round(1 - required / answer.cost, 4) if answer.cost else 0.0,
        "depot": problem.depot + instance.first,
        "capacity": None if problem.capacity is None else _plainly(problem.capacity),
        "vehicles": problem.vehicles,
        "tours": tours,
        "unreached": [
            {
                "edge": [problem.edges[n].u + instance.first, problem.edges[n].v + instance.first],
                "reason": reason,
            }
            for n, reason in sorted(answer.unreached.items())
        ],
        "valid": not wrong and not answer.unreached,
        "faults": wrong,
        "cut_off": answer.cut_off,
        "seconds": round(seconds, 2),
    }


def _plainly(number: float) -> float | int:
    return int(number) if float(number).is_integer() else round(number, 6)


def cells_of_demo(*, seed: int, cells: int, side_m: float = 450.0) -> dict[str, Any]:
    """Draw routes of square cells over the demo town's real streets; CPU seconds of each."""
    whole = _demo_streets()
    tree = shapely.STRtree([stretch.line for stretch in whole.stretches])
    rng = random.Random(seed)
    middles = [stretch.line.interpolate(0.5, normalized=True) for stretch in whole.stretches]
    seconds: list[float] = []
    valid: list[bool] = []
    streets_m = single_m = tours_m = 0.0
    while len(seconds) < cells:
        middle = rng.choice(middles)
        border = middle.buffer(side_m / 2, cap_style="square")
        started = time.process_time()
        net = network.clip(whole, border, tree)
        drawn = cell.route(net, meeting=(middle.x, middle.y), limit_m=cell.limit_of(90))
        if sum(stretch.required for stretch in net.stretches) < 20:
            continue
        seconds.append(round(time.process_time() - started, 3))
        answer = Answer(drawn.tours, drawn.tours_m, 0.0, drawn.unreached)
        valid.append(not faults(drawn.problem, answer))
        streets_m += drawn.streets_m
        single_m += drawn.single_m
        tours_m += drawn.tours_m
    return {
        "seconds": seconds,
        "mean": sum(seconds) / len(seconds),
        "valid": sum(valid) / len(valid),
        "deadhead_share_single": round(1 - streets_m / single_m, 4),
        "deadhead_share_tours": round(1 - streets_m / tours_m, 4),
    }


def _demo_streets() -> network.Network:
    packed = Path(__file__).parents[1] / "config/demo/data/liechtenstein_streets.geojson.gz"
    with gzip.open(packed, "rt", encoding="utf-8") as file:
        features = json.load(file)["features"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    plane = Plane.around(shapely.get_coordinates(shapes))
    streets = [
        network.StreetLine(
            str(number),
            feature["properties"].get("name") or "",
            plane.to_metres(line),
            feature["properties"].get("highway") or "",
        )
        for number, (feature, line) in enumerate(zip(features, shapes, strict=True))
    ]
    return network.join(streets)


def made_up(seed: int, *, effort: float = 1.0, nodes: int = 12, edges: int = 30) -> float:
    """Solve a made-up instance of the size of the gdb set; return its gap to the bound."""
    rng = random.Random(seed)
    ends = [(node, rng.randrange(node)) for node in range(1, nodes)]
    while len(ends) < edges:
        a, b = rng.sample(range(nodes), 2)
        ends.append((a, b))
    problem = Problem(
        nodes,
        tuple(Edge(a, b, rng.randint(2, 20), rng.randint(1, 9)) for a, b in ends),
        capacity=30,
    )
    answer = solve(problem, seed=seed, effort=effort)
    assert not faults(problem, answer), faults(problem, answer)
    return (answer.cost - answer.bound) / answer.bound


def main(argv: list[str] | None = None) -> int:
    """Run the command line; exit 1 if an answer is wrong or incomplete, 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="bench.routes", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.dat")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--effort", type=float, default=1.0, help="more breeds more tours")
    parser.add_argument("--seconds", type=float, default=20.0, help="the clock's last word")
    parser.add_argument("--json", type=Path, help="write the report here instead of printing it")
    args = parser.parse_args(argv)
    found = []
    for path in args.files:
        try:
            instance = read(path)
        except (Unreadable, OSError) as error:
            print(error, file=sys.stderr)
            return 2
        started = time.perf_counter()
        answer = solve(instance.problem, seed=args.seed, effort=args.effort, seconds=args.seconds)
        found.append(report(instance, answer, time.perf_counter() - started))
    whole: Any = found[0] if len(found) == 1 else found
    if args.json:
        args.json.write_text(json.dumps(whole), encoding="utf-8")
        for one in found:
            short = {key: value for key, value in one.items() if key != "tours"}
            print(json.dumps({**short, "tours": len(one["tours"])}))
    else:
        print(json.dumps(whole, indent=1))
    return 0 if all(one["valid"] for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
