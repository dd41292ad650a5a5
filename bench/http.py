"""python -m bench.http [--quick] [--json FILE]: claims and check-ins against a bare DRF insert.

Both servers run as real processes, on fresh databases of one engine, and are loaded in turn by
the same client: ours, bare, ours, bare. Every answer is checked; a race that does not fill its
three seats exactly fails the bench.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench import seed, stage, watchers
from bench.client import Connection, Load, load, request
from bench.report import Figure, compared

CLIENTS = 8
LEAST = 0.33
PEER = "bare DRF insert"
# With everybody watching, a claim must cost hardly more than with nobody: part of the same core
# goes into telling two hundred sockets.
LEAST_WATCHED = 0.5


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    requests: int
    warm_up: int
    races: int
    racers: int
    watchers: int
    clients: int = CLIENTS


FULL = Size(rounds=5, requests=300, warm_up=100, races=20, racers=50, watchers=200)
QUICK = Size(rounds=3, requests=80, warm_up=24, races=3, racers=50, watchers=50)
TINY = Size(rounds=1, requests=16, warm_up=8, races=1, racers=50, watchers=5)


@dataclass
class Stage:
    """Two servers, what can be sent to ours, and how much."""

    ours: int
    bare: int
    plan: dict[str, Any]
    size: Size
    engine: str
    claims: Iterator[bytes]
    signups: Iterator[bytes]

    def take(self, of: Iterator[bytes], count: int) -> list[bytes]:
        """Return the next requests; each is sent once."""
        return [next(of) for _ in range(count)]


def run(*, size: Size = FULL, parts: Sequence[str] = ("claims", "checkins")) -> list[Figure]:
    """Measure; raise AssertionError on a wrong answer, NotMeasured where there is no database."""
    with _stage(size) as play:
        figures: list[Figure] = []
        if "claims" in parts:
            figures += [*_claims(play), _races(play), *_watched(play)]
        if "checkins" in parts:
            figures += _checkins(play)
        return figures


@contextmanager
def _stage(size: Size) -> Iterator[Stage]:
    """Make both databases, fill them, start both servers."""
    with ExitStack() as stack:
        base, bare = (stack.enter_context(stage.database()) for _ in range(2))
        a_side = size.warm_up + size.rounds * size.requests
        wanted = seed.Wanted(
            claims=a_side + 2 * size.rounds * size.requests,
            races=size.races,
            racers=size.racers,
            checkins=a_side,
            watchers=size.watchers,
        )
        plan = json.loads(_python(base, "bench.seed", json.dumps(asdict(wanted))))
        _python(bare, "bench.bare.seed", str(seed.CROWD))
        # Embedded: the one process that does everything. Scaled: a daphne, as behind nginx.
        ours = stack.enter_context(stage.server(base, serve=base.engine == "sqlite"))
        peer = stack.enter_context(stage.server(bare, application="bench.bare.asgi:application"))
        yield Stage(
            ours=ours,
            bare=peer,
            plan=plan,
            size=size,
            engine=base.engine,
            claims=(
                request("POST", f"/api/v1/shifts/{shift}/claim", token=token)
                for token, shift in plan["claims"]
            ),
            signups=_signups(),
        )


def _python(base: stage.Database, module: str, argument: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", module, argument],
        cwd=stage.ROOT,
        env=stage.environment(base),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _signups() -> Iterator[bytes]:
    """What the bare project is sent: a body as long as a check-in's."""
    number = 0
    while True:
        yield request(
            "POST",
            "/signups",
            token=f"bare-token-{number % seed.CROWD}",
            body={
                "shift": number,
                "kind": "in",
                "occurred_at": "2026-06-01T19:31:00+08:00",
                "lat": 37.1553,
                "lon": 122.4152,
            },
        )
        number += 1


def _in_turn(play: Stage, ours: Iterator[bytes], status: int) -> tuple[list[Load], list[Load]]:
    """Warm both up, then load ours and bare in turn."""
    size = play.size
    load(play.ours, play.take(ours, size.warm_up), clients=size.clients, wanted=status)
    load(play.bare, play.take(play.signups, size.warm_up), clients=size.clients, wanted=201)
    a, b = [], []
    for _ in range(size.rounds):
        wires = play.take(ours, size.requests)
        a.append(load(play.ours, wires, clients=size.clients, wanted=status))
        wires = play.take(play.signups, size.requests)
        b.append(load(play.bare, wires, clients=size.clients, wanted=201))
    return a, b


def _figures(name: str, play: Stage, a: list[Load], b: list[Load]) -> list[Figure]:
    merged = Load(latencies=[each for one in a for each in one.latencies])
    peers = Load(latencies=[each for one in b for each in one.latencies])
    detail = {
        "engine": play.engine,
        "clients": play.size.clients,
        "requests": len(merged.latencies),
        "rounds": [{"ours": round(x.rate, 1), "peer": round(y.rate, 1)} for x, y in _pairs(a, b)],
    }
    return [
        compared(
            f"{name}/s",
            [one.rate for one in a],
            [one.rate for one in b],
            peer_name=PEER,
            least=LEAST,
            detail=detail,
        ),
        Figure(f"{name}: half answered in", unit="ms", ours=merged.p50_ms, peer=peers.p50_ms,
               peer_name=PEER),
        Figure(f"{name}: 99 of 100 in", unit="ms", ours=merged.p99_ms, peer=peers.p99_ms,
               peer_name=PEER),
    ]  # fmt: skip


def _pairs(a: list[Load], b: list[Load]) -> Iterator[tuple[Load, Load]]:
    return zip(a, b, strict=True)


def _claims(play: Stage) -> list[Figure]:
    """Volunteers who each claim another shift."""
    return _figures("claims", play, *_in_turn(play, play.claims, 200))


def _races(play: Stage) -> Figure:
    """Let everybody go for the same three seats at once, again and again."""
    seconds = []
    for shift in play.plan["races"]:
        wires = [
            request("POST", f"/api/v1/shifts/{shift}/claim", token=token)
            for token in play.plan["racers"]
        ]
        race = load(play.ours, wires, clients=len(wires))
        assert race.statuses == {200: seed.SEATS, 409: len(wires) - seed.SEATS}, (
            f"{len(wires)} claims on {seed.SEATS} seats: {dict(race.statuses)}"
        )
        _assert_full(play, shift)
        seconds.append(race.seconds)
    return Figure(
        f"{play.size.racers} at once on {seed.SEATS} seats: exactly {seed.SEATS} filled",
        unit=f"of {len(seconds)} races",
        ours=len(seconds),
        least=len(seconds),
        detail={"seconds_a_race": round(statistics.median(seconds), 3)},
    )


def _assert_full(play: Stage, shift: int) -> None:
    connection = Connection(play.ours)
    status, body = connection.ask(
        request("GET", f"/api/v1/shifts/{shift}", token=play.plan["captain"])
    )
    connection.close()
    assert status == 200, body
    found = json.loads(body)
    holders = {seat["member"]["id"] for seat in found["seats"] if seat["member"]}
    assert found["open_seats"] == 0, found
    assert len(holders) == len(found["seats"]) == seed.SEATS, found


def _watched(play: Stage) -> list[Figure]:
    """The same claims with nobody and with a crowd watching the community's board, in turn."""
    size, topic = play.size, f"community:{play.plan['community']}"
    alone, watched = [], []
    for _ in range(size.rounds):
        wires = play.take(play.claims, size.requests)
        alone.append(load(play.ours, wires, clients=size.clients, wanted=200))
        with watchers.watching(play.ours, topic, "seat.claimed", size.watchers) as crowd:
            wires = play.take(play.claims, size.requests)
            watched.append(load(play.ours, wires, clients=size.clients, wanted=200))
            crowd.assert_all_had(size.requests)
    merged = Load(latencies=[each for one in watched for each in one.latencies])
    return [
        compared(
            f"claims/s with {size.watchers} watchers, all told of all",
            [one.rate for one in watched],
            [one.rate for one in alone],
            peer_name="nobody watching",
            least=LEAST_WATCHED,
            detail={
                "p50_ms": merged.p50_ms,
                "p99_ms": merged.p99_ms,
                "events_delivered": size.requests * size.rounds * size.watchers,
            },
        )
    ]


def _checkins(play: Stage) -> list[Figure]:
    """Check-ins by position, each with a key of its own."""
    wires = (
        request(
            "POST",
            "/api/v1/checkins",
            token=duty["token"],
            key=f"bench-{duty['seat']}-in",
            body={
                "seat": duty["seat"],
                "kind": "in",
                "occurred_at": duty["in_at"],
                "lat": duty["lat"],
                "lon": duty["lon"],
                "accuracy_m": 10,
            },
        )
        for duty in play.plan["checkins"]
    )
    return _figures("check-ins", play, *_in_turn(play, wires, 201))
