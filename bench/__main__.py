"""python -m bench [names] [--json FILE] [--quick]: run every bench, print one table.

Names: claims, checkins, ledger, delivery, rosters, zoning, routes, maps. Each runs in a process of
its own, one after another. The exit status is 1 if a limit is missed or an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import report, stage
from bench.report import Figure

SECONDS_AT_MOST = 1800
FAILED = "FAILED"


def claims(speed: str) -> list[Figure]:
    """Claims over HTTP, the race for three seats, and claims that a crowd watches."""
    return _http(speed, "claims")


def checkins(speed: str) -> list[Figure]:
    """Check-ins over HTTP."""
    return _http(speed, "checkins")


def _http(speed: str, part: str) -> list[Figure]:
    from bench import http

    sizes = {"full": http.FULL, "quick": http.QUICK, "tiny": http.TINY}
    return http.run(size=sizes[speed], parts=[part])


def ledger(speed: str) -> list[Figure]:
    """Ledger postings against pgbench's TPC-B, on SQLite against the bare ORM."""
    _need("bench.ledger")
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.db import OperationalError

    from bench.ledger import run

    rounds, seconds = {"full": (3, 6.0), "quick": (1, 3.0), "tiny": (1, 0.5)}[speed]
    try:
        found = [run(seconds=seconds) for _ in range(rounds)]
    except OperationalError as error:
        raise stage.NotMeasured(f"database: {error}") from error
    figures = [
        report.compared(
            f"ledger postings/s, {found[0]['database']}",
            [one["postings_per_second"] for one in found],
            [one["against_per_second"] for one in found],
            peer_name=found[0]["against"],
            detail={"rounds": found},
        )
    ]
    if found[0]["database"] != "postgresql":
        figures.append(
            Figure("ledger against pgbench", missing="needs PostgreSQL: set DATABASE_URL")
        )
    return figures


def delivery(speed: str) -> list[Figure]:
    """Events to five hundred sockets against a bare Channels group_send."""
    _need("bench.delivery")
    from bench.delivery import run

    rounds, sockets, events, burst = {
        "full": (3, 500, 20, 100),
        "quick": (1, 200, 10, 50),
        "tiny": (1, 20, 2, 10),
    }[speed]
    found = [run(sockets=sockets, events=events, burst=burst) for _ in range(rounds)]
    figures = []
    for name, key in (
        ("one event", "deliveries_per_s"),
        ("a burst, none lost", "burst_deliveries_per_s"),
    ):
        lost = [one["ours"]["burst_lost_percent"] for one in found]
        assert not any(lost), f"our sockets lost events: {lost} %"
        figures.append(
            report.compared(
                f"delivery to {sockets} sockets, {name}",
                [one["ours"][key] for one in found],
                [one["bare"][key] for one in found],
                peer_name="bare group_send",
                detail={"layer": found[0]["layer"], "rounds": found},
            )
        )
    return figures


def _need(module: str) -> None:
    if find_spec(module) is None:
        raise stage.NotMeasured(f"there is no {module}")


def rosters(speed: str) -> list[Figure]:
    """The Rongcheng week: its gap to the proven bound, and the seats filled."""
    from bench.rosters import city

    scale = {"full": 1.0, "quick": 0.25, "tiny": 0.05}[speed]
    found = city(seed=1, seconds=60, days_in_row=None, scale=scale, gap=0)
    return [
        Figure(
            f"roster of a week, {found['seats_total']:,} seats: filled",
            ours=round(found["filled"] / found["seats_total"], 4),
            least=0.95,
            detail=found,
        ),
        Figure("roster: gap to the proven bound", ours=found["gap"], most=0.01),
        Figure("roster: solved in", unit="s", ours=found["seconds"]),
    ]


def zoning(speed: str) -> list[Figure]:
    """The demo town's cells: households within the band, contiguous."""
    import gzip

    from bench.zoning import main, read_buildings, read_streets
    from bench.zoning_rivals import compare
    from grids.zoning.problem import Band

    data = stage.ROOT / "config" / "demo" / "data"
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name in ("buildings", "streets"):
            files[name] = Path(folder) / f"{name}.geojson"
            with gzip.open(data / f"liechtenstein_{name}.geojson.gz") as packed:
                files[name].write_bytes(packed.read())
        out = Path(folder) / "cells.json"
        words = ["--buildings", files["buildings"], "--streets", files["streets"], "--json", out]
        effort = {"full": "1", "quick": "0.2", "tiny": "0.05"}[speed]
        sys.stdout, kept = sys.stderr, sys.stdout
        try:
            main([*map(str, words), "--seed", "1", "--effort", effort])
        finally:
            sys.stdout = kept
        found = json.loads(out.read_text(encoding="utf-8"))
        rivals = (
            {}
            if speed == "tiny"
            else compare(read_buildings(files["buildings"]), read_streets(files["streets"]), Band())
        )
    cells, measures = found["cells"], found["measures"]
    return [
        Figure(
            f"zoning, {len(cells)} cells: contiguous",
            ours=sum(cell["contiguous"] for cell in cells) / len(cells),
            least=1,
            detail=measures,
        ),
        Figure(
            "zoning: within the band of households",
            ours=round(sum(cell["in_band"] for cell in cells) / len(cells), 4),
        ),
        Figure("zoning: drawn in", unit="s", ours=measures.get("seconds")),
        *_against(rivals),
    ]


def _against(rivals: dict[str, dict[str, Any]]) -> list[Figure]:
    """Return cut edges and compactness against METIS alone and ReCom on the same graph."""
    figures = []
    for name in ("metis", "recom") if rivals else ():
        if name not in rivals:
            figures.append(Figure(f"zoning against {name}", missing="gerrychain is not installed"))
            continue
        ours, peer = rivals["ours"], rivals[name]
        for what, limit in (("cut_edges", (None, 1.0)), ("polsby_popper", (1.0, None))):
            figures.append(
                Figure(
                    f"zoning: {what.replace('_', ' ')}",
                    ours=ours[what],
                    peer=peer[what],
                    peer_name=name,
                    ratio=round(ours[what] / peer[what], 3),
                    detail=rivals,
                    least=limit[0],
                    most=limit[1],
                )
            )
    return figures


def routes(speed: str) -> list[Figure]:
    """Routes of the demo town's cells, and arc-routing instances against their proven bound."""
    from bench.routes import cells_of_demo, made_up

    found = cells_of_demo(seed=1, cells={"full": 60, "quick": 20, "tiny": 3}[speed])
    effort = {"full": 1.0, "quick": 0.2, "tiny": 0.01}[speed]
    gaps = [made_up(seed, effort=effort) for seed in range({"full": 3}.get(speed, 1))]
    return [
        Figure("routes: cells drawn", ours=len(found["seconds"]), detail=found),
        Figure("routes: slowest cell", unit="s", ours=max(found["seconds"])),
        Figure("routes: 157 such cells", unit="s", ours=round(found["mean"] * 157, 1), most=60),
        Figure("routes: answers without fault", ours=found["valid"], least=1),
        Figure("arc routing: mean gap to the proven bound", ours=round(sum(gaps) / len(gaps), 4)),
    ]


def maps(speed: str) -> list[Figure]:
    """The map of a whole city from a warm cache."""
    from bench.maps import FULL, TINY, run

    return run(TINY if speed == "tiny" else FULL)


BENCHES: dict[str, Callable[[str], list[Figure]]] = {
    bench.__name__: bench
    for bench in (claims, checkins, ledger, delivery, rosters, zoning, routes, maps)
}


def one(name: str, speed: str, out: Path) -> None:
    """Run one bench in this process and write its figures."""
    try:
        figures = BENCHES[name](speed)
    except stage.NotMeasured as reason:
        figures = [Figure(name, missing=str(reason))]
    except AssertionError as wrong:
        traceback.print_exc()
        figures = [Figure(name, missing=f"{FAILED}: {wrong}")]
    report.write(out, figures)


def main(argv: list[str] | None = None) -> int:
    """Run the benches that were named, all if none was."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHES))
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--quick", action="store_true", help="fewer requests, more noise")
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    unknown = set(args.names) - set(BENCHES)
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    speed = "tiny" if args.tiny else "quick" if args.quick else "full"
    if args.one:
        one(args.names[0], speed, args.json)
        return 0
    load_before = round(os.getloadavg()[0], 2)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.names or BENCHES:
            print(f"{name} …", file=sys.stderr, flush=True)
            out = Path(folder) / f"{name}.json"
            words = ["-m", "bench", name, "--one", "--json", str(out)]
            if speed != "full":
                words.append(f"--{speed}")
            # What peers log when they lose events is not for the eye, unless it all failed.
            with tempfile.TemporaryFile() as log:
                status = subprocess.run(
                    [sys.executable, *words],
                    cwd=stage.ROOT,
                    timeout=SECONDS_AT_MOST,
                    check=False,
                    stderr=log,
                    stdout=log,
                ).returncode
                log.seek(0)
                said = log.read()[-4000:].decode(errors="replace")
            if status != 0 or not out.exists():
                print(said, file=sys.stderr)
                figures.append(Figure(name, missing=f"{FAILED} with exit status {status}"))
                continue
            found = report.read(out)
            if any(figure.missing.startswith(FAILED) for figure in found):
                print(said, file=sys.stderr)
            figures += found
    print(report.table(figures))
    if load_before > 0.5 * (os.cpu_count() or 1):
        print(f"The machine was busy before (load {load_before}): rather believe the ratios.")
    if args.json:
        report.write(args.json, figures, speed=speed, load_before=load_before)
    broken = any(figure.missing.startswith(FAILED) for figure in figures)
    return int(broken or any(figure.ok is False for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main())
