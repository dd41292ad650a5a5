"""Draw cells from files, or cut a plain graph, and report how good they are.

python -m bench.zoning --buildings F --streets F --min 300 --max 500 --seed N --json OUT
python -m bench.zoning --graph G.json --parts K --seed N --json OUT
python -m bench.zoning --buildings F --streets F --compare       (beside METIS alone and ReCom)
python -m bench.zoning --enumerate 5                            (5 by 5 nodes, all partitions)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon, shape

from bench.zoning_rivals import compare
from grids.zoning.check import contiguous
from grids.zoning.draw import divide_graph, draw_cells
from grids.zoning.problem import Band, Building, Options, Street


def features(path: Path) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON file that have a geometry."""
    data = json.loads(path.read_text(encoding="utf-8"))
    found = data.get("features", []) if data.get("type") == "FeatureCollection" else [data]
    return [f for f in found if f.get("geometry")]


def identity(feature: dict[str, Any], at: int) -> int | str:
    """Return the id of a feature: the property, else the feature's own, else its number."""
    own = (feature.get("properties") or {}).get("id", feature.get("id"))
    return own if isinstance(own, int | str) else at


def read_buildings(path: Path) -> list[Building]:
    """Return buildings; missing or unreadable dwellings count as none, bad rings are repaired."""
    result = []
    for at, feature in enumerate(features(path), start=1):
        properties = feature.get("properties") or {}
        form = shape(feature["geometry"])
        if not form.is_valid:
            form = shapely.make_valid(form)
        if form.is_empty:
            print(f"feature {at}: empty geometry, left out", file=sys.stderr)
            continue
        amount = properties.get("dwellings")
        if amount is None:
            amount = properties.get("dwellings_est")
        try:
            dwellings = max(0, int(float(amount or 0)))
        except (TypeError, ValueError):
            dwellings = 0
        inner = form.representative_point()
        result.append(
            Building(
                id=identity(feature, at),
                dwellings=dwellings,
                lon=inner.x,
                lat=inner.y,
                footprint=form if isinstance(form, Polygon | MultiPolygon | Point) else None,
                street=properties.get("addr:street") or properties.get("street"),
            )
        )
    return result


def read_streets(path: Path) -> list[Street]:
    """Return the lines of a street file."""
    result = []
    for at, feature in enumerate(features(path), start=1):
        properties = feature.get("properties") or {}
        line = shape(feature["geometry"])
        if isinstance(line, LineString | MultiLineString) and not line.is_empty:
            result.append(
                Street(
                    id=identity(feature, at),
                    line=line,
                    highway=properties.get("highway"),
                    name=properties.get("name"),
                )
            )
    return result


def town(args: argparse.Namespace) -> dict[str, Any]:
    """Return the report on the cells of a town."""
    plan = draw_cells(
        read_buildings(args.buildings),
        read_streets(args.streets) if args.streets else [],
        band=Band(args.min, args.max),
        seed=args.seed,
        options=Options(effort=args.effort),
    )
    cells = [
        {
            "code": cell.code,
            "households": cell.households,
            "buildings": list(cell.buildings),
            "contiguous": cell.contiguous,
            "polsby_popper": round(cell.polsby_popper, 4),
            "in_band": cell.in_band,
            "reason": cell.reason,
            "detail": cell.detail,
            "warnings": list(cell.warnings),
            "geometry": shapely.geometry.mapping(cell.polygon),
        }
        for cell in plan.cells
    ]
    return {"cells": cells, "measures": plan.measures.as_dict()}


def plain_graph(args: argparse.Namespace) -> dict[str, Any]:
    """Return the report on the parts of a plain graph."""
    data = json.loads(args.graph.read_text(encoding="utf-8"))
    ids = [node["id"] for node in data["nodes"]]
    index = {node: i for i, node in enumerate(ids)}
    weights = [int(node.get("weight", 1)) for node in data["nodes"]]
    edges = [(index[a], index[b]) for a, b in data["edges"]]
    started = time.perf_counter()
    part = divide_graph(weights, edges, parts=args.parts, seed=args.seed, effort=args.effort)
    seconds = time.perf_counter() - started
    cells: list[dict[str, Any]] = []
    for p in range(args.parts):
        inside = [i for i, q in enumerate(part) if q == p]
        cells.append(
            {
                "code": p + 1,
                "households": sum(weights[i] for i in inside),
                "buildings": [ids[i] for i in inside],
                "contiguous": contiguous(inside, edges),
                "polsby_popper": None,
            }
        )
    ideal = sum(weights) / args.parts
    measures = {
        "cells": args.parts,
        "cut_edges": sum(part[a] != part[b] for a, b in edges),
        "deviation": max(abs(c["households"] - ideal) for c in cells) / ideal if ideal else 0.0,
        "contiguous_share": sum(c["contiguous"] for c in cells) / args.parts,
        "seconds": round(seconds, 3),
    }
    return {"cells": cells, "measures": measures}


def equal_partitions(edges: list[tuple[int, int]], nodes: int, parts: int) -> Iterator[int]:
    """Yield the cut edges of each partition into contiguous parts of equally many nodes.

    Written without the code it judges: sets of nodes are bits, the part of the lowest free node is
    grown in every way, then the rest is cut alike.
    """
    near = [0] * nodes
    for a, b in edges:
        near[a] |= 1 << b
        near[b] |= 1 << a
    size = nodes // parts

    def grown(mask: int, rim: int, free: int) -> Iterator[int]:
        if mask.bit_count() == size:
            yield mask
            return
        rim &= free & ~mask
        while rim:
            bit = rim & -rim
            rim ^= bit
            free &= ~bit
            yield from grown(mask | bit, rim | near[bit.bit_length() - 1], free)

    def cut(free: int, cuts: int) -> Iterator[int]:
        if not free:
            yield cuts
            return
        root = free & -free
        for part in grown(root, near[root.bit_length() - 1], free & ~root):
            rest = free & ~part
            here = sum((near[v] & rest).bit_count() for v in range(nodes) if part >> v & 1)
            yield from cut(rest, cuts + here)

    yield from cut((1 << nodes) - 1, 0)


def enumerated(side: int, seed: int) -> dict[str, Any]:
    """Return where our cut of a side by side grid into `side` parts is among all partitions."""
    nodes = side * side
    edges = [(v, v + 1) for v in range(nodes) if (v + 1) % side]
    edges += [(v, v + side) for v in range(nodes - side)]
    part = divide_graph([1] * nodes, edges, parts=side, seed=seed)
    ours = sum(part[a] != part[b] for a, b in edges)
    every = list(equal_partitions(edges, nodes, side))
    return {
        "partitions": len(every),
        "cut_edges": ours,
        "best": min(every),
        "share_better": sum(cuts < ours for cuts in every) / len(every),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the command line; print the measures, write the whole report where told."""
    parser = argparse.ArgumentParser(prog="bench.zoning", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--buildings", type=Path)
    source.add_argument("--graph", type=Path)
    source.add_argument("--enumerate", type=int, choices=(3, 4, 5))
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--streets", type=Path)
    parser.add_argument("--parts", type=int)
    parser.add_argument("--min", type=int, default=300)
    parser.add_argument("--max", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    if args.graph and not args.parts:
        parser.error("--graph needs --parts")
    if args.enumerate:
        print(json.dumps(enumerated(args.enumerate, args.seed), indent=1))
        return 0
    if args.compare:
        found = compare(
            read_buildings(args.buildings),
            read_streets(args.streets) if args.streets else [],
            Band(args.min, args.max),
            seed=args.seed,
        )
        print(json.dumps(found, indent=1))
        return 0
    report = plain_graph(args) if args.graph else town(args)
    if args.json:
        args.json.write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    print(json.dumps(report["measures"], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
