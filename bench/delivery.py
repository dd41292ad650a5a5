"""One event to many sockets: ours against a bare Channels group_send, in the same run.

Ours is measured with everything it does: the commit, the log, the frame with its seq. The bare
one stores nothing, may drop frames, and is what it takes to be quick and lossy. The client
reads raw frames in a process of its own, so that it costs little.

    python -m bench.delivery [--sockets 500] [--events 20] [--burst 100] [--json FILE]
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUIET_S = 5.0
CROWD = 25


class RawSocket(asyncio.Protocol):
    """A WebSocket client that counts frames and parses as little as it can."""

    def __init__(self, counter: "Counter", request: bytes, hello: bytes) -> None:
        self.counter = counter
        self.request = request
        self.hello = hello
        self.buffer = b""
        self.open = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(head.decode())
            self.open, self.buffer = True, rest
            if self.hello:
                # A masked text frame; the mask is zero, so the payload is itself.
                self.transport.write(bytes([0x81, 0x80 | len(self.hello)]) + bytes(4) + self.hello)
            else:
                self.counter.take()
        buffer, start = self.buffer, 0
        while len(buffer) - start >= 2:
            length, header = buffer[start + 1] & 0x7F, 2
            if length == 126:
                if len(buffer) - start < 4:
                    break
                length, header = int.from_bytes(buffer[start + 2 : start + 4], "big"), 4
            if len(buffer) - start < header + length:
                break
            if buffer[start] & 0x0F == 1:
                self.counter.take()
            start += header + length
        self.buffer = buffer[start:]


class Counter:
    """Frames received by all sockets, and when the last one came."""

    def __init__(self) -> None:
        self.count = 0
        self.wanted = 0
        self.last = 0.0
        self.reached = asyncio.Event()

    def take(self) -> None:
        self.count += 1
        self.last = time.perf_counter()
        if self.count >= self.wanted:
            self.reached.set()

    def want(self, more: int) -> None:
        self.count, self.wanted = 0, more
        self.reached.clear()

    async def wait(self) -> int:
        """Wait for what is wanted, or until nothing has come for QUIET_S; return what came."""
        while not self.reached.is_set():
            before = self.count
            try:
                async with asyncio.timeout(QUIET_S):
                    await self.reached.wait()
            except TimeoutError:
                if self.count == before:
                    break
        return self.count


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, which a busy machine doesn't blur."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    port: int, pid: int, token: str, which: str, *, sockets: int, events: int, burst: int
) -> dict[str, float]:
    """Connect, send `events` one by one and then `burst` at once; return the figures."""
    loop = asyncio.get_running_loop()
    key = base64.b64encode(os.urandom(16)).decode()
    path = "/ws/" if which == "ours" else "/bare/"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Token {token}\r\n\r\n"
    ).encode()
    subscribe = json.dumps({"do": "subscribe", "topic": "bench:1", "since": None}).encode()
    hello = subscribe if which == "ours" else b""
    counter = Counter()
    started = time.perf_counter()
    transports: list[Any] = []
    while len(transports) < sockets:
        # A few at a time: daphne gives a handshake five seconds.
        crowd = min(CROWD, sockets - len(transports))
        counter.want(crowd)
        for _ in range(crowd):
            transport, _protocol = await loop.create_connection(
                lambda: RawSocket(counter, request, hello), "127.0.0.1", port
            )
            transports.append(transport)
        if await counter.wait() != crowd:
            raise RuntimeError(f"only {counter.count} of {crowd} {which} sockets got ready")
    joined_s = time.perf_counter() - started
    waits = []
    cpu = cpu_s(pid)
    for _ in range(events):
        counter.want(sockets)
        started = time.perf_counter()
        await asyncio.to_thread(fire, port, which, 1)
        await counter.wait()
        waits.append(counter.last - started)
    cpu = (cpu_s(pid) - cpu) / (sockets * events)
    counter.want(sockets * burst)
    started = time.perf_counter()
    await asyncio.to_thread(fire, port, which, burst)
    got = await counter.wait()
    burst_s = counter.last - started
    for transport in transports:
        transport.abort()
    await asyncio.sleep(1)
    return {
        "join_s": round(joined_s, 2),
        "one_event_ms": round(statistics.median(waits) * 1000, 1),
        "cpu_us_per_delivery": round(cpu * 1e6, 1),
        "deliveries_per_s": round(sockets / statistics.median(waits)),
        "burst_deliveries_per_s": round(got / burst_s),
        "burst_lost_percent": round(100 * (1 - got / (sockets * burst)), 1),
    }


def fire(port: int, which: str, count: int) -> None:
    """Let the server send `count` events."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/fire/{which}/{count}", timeout=120) as r:
        r.read()


def run(*, sockets: int = 500, events: int = 20, burst: int = 100) -> dict[str, Any]:
    """Measure both in one server on a scratch SQLite database; return figures and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PYTHONWARNINGS": "ignore"}
        env.update(LINLI_VAR_DIR=folder, DATABASE_URL="", LINLI_LOG_LEVEL="WARNING")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v", "0"], cwd=ROOT, env=env, check=True)
        done = subprocess.run(
            [*manage, "shell", "-v", "0", "-c", _MAKE_TOKEN],
            cwd=ROOT, env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        token = done.stdout.split()[-1]
        figures = {}
        for which in ("bare", "ours"):
            # Each in a server of its own: what one left undone must not slow the other.
            server = subprocess.Popen(
                [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port),
                 "bench.delivery_app:application"],
                cwd=ROOT, env=env, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                _wait(port, server)
                figures[which] = asyncio.run(
                    measure(
                        port, server.pid, token, which, sockets=sockets, events=events, burst=burst
                    )
                )
            finally:
                server.kill()
                server.wait()
    ours, bare = figures["ours"], figures["bare"]
    return {
        "sockets": sockets,
        "layer": "redis" if os.environ.get("REDIS_URL") else "in memory",
        **figures,
        "ratio": round(ours["deliveries_per_s"] / bare["deliveries_per_s"], 2),
        "cpu_ratio": round(bare["cpu_us_per_delivery"] / ours["cpu_us_per_delivery"], 2),
        "burst_ratio": round(ours["burst_deliveries_per_s"] / bare["burst_deliveries_per_s"], 2),
    }


_MAKE_TOKEN = """
from django.utils import timezone
from grids.people.backends import token_digest
from grids.people.models import ApiToken, Member
member = Member.objects.create(display_name="bench", joined_at=timezone.now())
ApiToken.objects.create(member=member, digest=token_digest("bench"), created_at=timezone.now())
print("bench")
"""


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def main() -> None:
    """Print a table and, last, the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--burst", type=int, default=100)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures = run(sockets=args.sockets, events=args.events, burst=args.burst)
    print(f"{'':24}{'bare group_send':>18}{'Linli':>12}")
    for name in figures["ours"]:
        print(f"{name:24}{figures['bare'][name]:>18,}{figures['ours'][name]:>12,}")
    print(
        f"Linli delivers {figures['ratio']} × as fast, {figures['burst_ratio']} × in a burst, "
        f"for 1/{figures['cpu_ratio']} of the processor time"
    )
    text = json.dumps(figures)
    if args.json:
        args.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
