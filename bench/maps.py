"""python -m bench.maps: the map of a whole city, over HTTP, from a warm cache.

26 communities, 157 cells with ragged borders, 40,000 buildings, a patrol in each cell tonight;
asked for at the root of the tree, where everything is on one map.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench import stage
from bench.report import Figure, percentile

MOST_MS = 300
MOST_KB = 300
_SIDE = 0.004  # degrees: a cell of some 400 m
_CORNERS = 60  # on each side of a cell


@dataclass(frozen=True)
class Size:
    """How large the city is, and how often it is asked for."""

    communities: int
    cells: int
    buildings: int
    rounds: int


FULL = Size(communities=26, cells=157, buildings=40_000, rounds=20)
TINY = Size(communities=2, cells=4, buildings=40, rounds=2)


def run(size: Size = FULL) -> list[Figure]:
    """Measure pages and GeoJSON; every answer is checked."""
    with stage.database() as base:
        said = subprocess.run(
            [sys.executable, "-m", "bench.maps", "seed", json.dumps(asdict(size))],
            cwd=stage.ROOT,
            env=stage.environment(base),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        city = json.loads(said)
        with stage.server(base, serve=base.engine == "sqlite") as port:
            return _figures(port, city, size, base.engine)


def _figures(port: int, city: dict[str, Any], size: Size, engine: str) -> list[Figure]:
    page, code = {"Cookie": f"sessionid={city['session']}"}, city["code"]
    asked = {
        "overview page": (f"/map/{code}/", page),
        "overview map": (f"/map/{code}/frame/", page),
        "cells GeoJSON": (
            f"/api/v1/cells?community={city['community']}",
            {"Authorization": f"Token {city['token']}"},
        ),
        "heat map": (f"/map/{code}/heat/frame/", page),
    }
    figures = []
    for name, (path, headers) in asked.items():
        cold = _get(port, path, headers)
        warm = [_get(port, path, headers) for _ in range(size.rounds)]
        times = [one[0] for one in warm]
        figures.append(
            Figure(
                f"{name} of {size.cells} cells, {size.buildings:,} buildings: half answered in",
                unit="ms",
                ours=round(statistics.median(times), 1),
                most=MOST_MS,
                detail={
                    "engine": engine,
                    "cold_ms": round(cold[0], 1),
                    "p95_ms": round(percentile(times, 0.95), 1),
                    "kb": round(cold[1] / 1000, 1),
                },
            )
        )
        if name == "cells GeoJSON":
            figures.append(
                Figure(f"{name}, gzip", unit="kB", ours=round(cold[1] / 1000, 1), most=MOST_KB)
            )
    for name in ("buildings", "streets"):
        cold = _get(port, f"/map/{code}/{name}.json", page)
        warm = [_get(port, f"/map/{code}/{name}.json", page)[0] for _ in range(size.rounds)]
        figures.append(
            Figure(
                f"base map, {name}, gzip {cold[1] / 1000:,.0f} kB: half answered in",
                unit="ms",
                ours=round(statistics.median(warm), 1),
                detail={"cold_ms": round(cold[0], 1)},
            )
        )
    return figures


def _get(port: int, path: str, headers: dict[str, str]) -> tuple[float, int]:
    """Return milliseconds and bytes of one answer, which must be a 200."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    start = time.perf_counter()
    wire.request("GET", path, headers={"Accept-Encoding": "gzip", **headers})
    answer = wire.getresponse()
    body = answer.read()
    took = (time.perf_counter() - start) * 1000
    wire.close()
    assert answer.status == 200, f"{path}: {answer.status} {body[:200]!r}"
    return took, len(body)


def seed(size: Size) -> dict[str, Any]:
    """Fill an empty database; return what is needed to ask for it."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from datetime import timedelta

    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from shapely import Polygon, box, to_wkb

    from common import clock
    from common.unit_of_work import unit_of_work
    from grids.people.models import Member, Role
    from grids.people.services import issue_token
    from grids.places.models import Building, Cell, CellPlan, CellShape, Street
    from grids.places.services import create_community
    from patrols.shifts.models import Shift

    call_command("migrate", verbosity=0)
    now = clock.now()
    with unit_of_work(now=now) as work:
        root = create_community(code="city", name="市", level="street", now=now)
        communities = [
            create_community(code=f"c{n}", name=f"社区{n}", parent=root, now=now)
            for n in range(size.communities)
        ]
        member = Member.objects.create(
            phone="+8613800000001", display_name="网格长", community=root, joined_at=now
        )
        member.set_unusable_password()
        member.save()
        Role.objects.create(
            member=member, kind="captain", community=root, starts_on=now.date() - timedelta(days=9)
        )
        token = issue_token(member=member, label="bench", now=work.now)
        wide = math.ceil(math.sqrt(size.cells))
        plans = {
            each.pk: CellPlan.objects.create(
                community=each, state="published", created_at=now, published_at=now
            )
            for each in communities
        }
        cells = Cell.objects.bulk_create(
            Cell(community=communities[n * size.communities // size.cells], code=f"G{n:03d}")
            for n in range(size.cells)
        )
        CellShape.objects.bulk_create(
            CellShape(
                plan=plans[cell.community_id],
                cell=cell,
                geometry=to_wkb(Polygon(_ring(n % wide, n // wide))),
                households=400,
            )
            for n, cell in enumerate(cells)
        )
        each_has = size.buildings // size.cells + 1
        row = math.ceil(math.sqrt(each_has))
        step = _SIDE / (row + 1)
        buildings = []
        for number in range(size.buildings):
            n, at = divmod(number, each_has)
            lon = 122.0 + n % wide * _SIDE + (at % row + 1) * step
            lat = 37.0 + n // wide * _SIDE + (at // row + 1) * step
            buildings.append(
                Building(
                    community_id=cells[n].community_id, source_id=str(number), dwellings=2,
                    lat=lat, lon=lon, cell=cells[n],
                    geometry=to_wkb(box(lon, lat, lon + step * 0.6, lat + step * 0.4)),
                )
            )  # fmt: skip
        Building.objects.bulk_create(buildings, batch_size=1000)
        Street.objects.bulk_create(
            Street(
                community=communities[n % size.communities], source_id=str(n), name=f"街{n}",
                geometry=to_wkb(Polygon(_ring(n % wide, n // wide)).exterior),
            )
            for n in range(size.cells)
        )  # fmt: skip
        Shift.objects.bulk_create(
            Shift(
                community_id=cell.community_id, cell=cell, kind="patrol", category="patrol",
                title="巡逻", starts_at=now, ends_at=now + timedelta(hours=1),
                local_date=now.date(), open_seats=1, meeting_code="AB12CD",
            )
            for cell in cells
        )  # fmt: skip
    session = SessionStore()
    session[SESSION_KEY] = str(member.pk)
    session[BACKEND_SESSION_KEY] = "grids.people.backends.MemberBackend"
    session[HASH_SESSION_KEY] = member.get_session_auth_hash()
    session.create()
    return {
        "token": token,
        "session": session.session_key,
        "community": root.pk,
        "code": root.code,
    }


def _ring(x: int, y: int) -> list[tuple[float, float]]:
    """Return a cell's border; neighbours share each ragged side, corner by corner."""

    def across(at: int, side: int) -> list[tuple[float, float]]:
        line = side * _SIDE
        return [
            (at * _SIDE + step * _SIDE / _CORNERS, line + _jag(step, side)) for step in _steps()
        ]

    def up(at: int, side: int) -> list[tuple[float, float]]:
        return [(lon, lat) for lat, lon in across(at, side)]

    ring = [*across(x, y)[:-1], *up(y, x + 1)[:-1]]
    ring += [*reversed(across(x, y + 1)[1:]), *reversed(up(y, x)[1:])]
    return [(122.0 + lon, 37.0 + lat) for lon, lat in ring]


def _steps() -> range:
    return range(_CORNERS + 1)


def _jag(step: int, side: int) -> float:
    """Leave the straight line by up to 15 m, not at the ends, the same for both neighbours."""
    if step in (0, _CORNERS):
        return 0.0
    from_ends = math.sin(math.pi * step / _CORNERS)
    return 0.00015 * from_ends * math.sin(step * 12.9898 + side * 78.233)


if __name__ == "__main__":
    if sys.argv[1:2] == ["seed"]:
        print(json.dumps(seed(Size(**json.loads(sys.argv[2])))))
    else:
        from bench.report import table

        print(table(run()))
