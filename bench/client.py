"""A thin HTTP client on bare sockets: on two cores a comfortable one would be half the figure."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.report import percentile


def request(
    method: str, path: str, *, token: str, body: Any = None, key: str | None = None
) -> bytes:
    """Return a whole HTTP/1.1 request that keeps its connection."""
    content = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Token {token}",
        f"Content-Length: {len(content)}",
    ]
    if content:
        head.append("Content-Type: application/json")
    if key is not None:
        head.append(f"Idempotency-Key: {key}")
    return "\r\n".join([*head, "", ""]).encode() + content


class Connection:
    """One kept connection; answers must carry a Content-Length, as Django's do."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(self, wire: bytes) -> tuple[int, bytes]:
        """Send one request; return (status, body)."""
        self._socket.sendall(wire)
        data = self._rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"an answer without a length: {data[:200]!r}")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        while len(data) < end + 4 + length:
            data += self._more()
        self._rest = data[end + 4 + length :]
        return int(data[9:12]), data[end + 4 : end + 4 + length]

    def _more(self) -> bytes:
        got = self._socket.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        return got

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@dataclass
class Load:
    """What a load of requests did: seconds in all, seconds of each, answers by status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    odd: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    @property
    def p50_ms(self) -> float:
        """Half of the answers came within this."""
        return round(percentile(self.latencies, 0.5) * 1000, 1)

    @property
    def p99_ms(self) -> float:
        """All but one in a hundred came within this."""
        return round(percentile(self.latencies, 0.99) * 1000, 1)


def load(port: int, wires: Sequence[bytes], *, clients: int, wanted: int | None = None) -> Load:
    """Send the requests over `clients` kept connections, each as fast as it is answered.

    All clients are connected before the clock starts, and start together. Raises AssertionError
    if an answer has not the `wanted` status.
    """
    result, turn = Load(), itertools.count()
    connections = [Connection(port) for _ in range(min(clients, len(wires)))]
    start = threading.Barrier(len(connections) + 1)
    failures: list[BaseException] = []

    def work(connection: Connection) -> None:
        try:
            start.wait()
            while (at := next(turn)) < len(wires):
                began = time.perf_counter()
                status, body = connection.ask(wires[at])
                result.latencies.append(time.perf_counter() - began)
                result.statuses[status] += 1
                if wanted is not None and status != wanted:
                    result.odd.append(body)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in connections]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - began
    if failures:
        raise failures[0]
    assert not result.odd, f"{len(result.odd)} of {len(wires)} answers: {result.odd[0]!r}"
    return result
