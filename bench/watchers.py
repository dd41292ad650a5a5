"""python -m bench.watchers PORT TOPIC TYPE COUNT: sockets that watch a topic and count what comes.

Prints a line when all are subscribed; asked for a number, it prints as JSON how many events of
this type each socket had once all had so many, or five seconds later. An event out of sequence
counts as none ever after. It parses frames by hand: two hundred comfortable clients would take
the core that the server is measured on.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from bench.stage import ROOT


class Watcher(asyncio.Protocol):
    """One socket; the server's frames are text, unmasked and whole."""

    def __init__(self, topic: str, kind: str, token: str) -> None:
        self.topic, self.token = topic, token
        self.kind = f'"type":"{kind}"'.encode()
        self.seq = 0
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.events = 0
        self._data = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            (
                "GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                f"Authorization: Token {self.token}\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._data[:32]:
                self._fail(f"refused: {self._data[:80]!r}")
                return
            self._open, self._data = True, self._data[end + 4 :]
            self._say({"do": "subscribe", "topic": self.topic, "since": None})
        while (frame := self._next()) is not None:
            self._hear(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("closed")

    def _next(self) -> bytes | None:
        """Cut the next frame's payload off what has come."""
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1] & 127, 2
        if size == 126:
            if len(data) < 4:
                return None
            size, start = struct.unpack_from(">H", data, 2)[0], 4
        elif size == 127:
            if len(data) < 10:
                return None
            size, start = struct.unpack_from(">Q", data, 2)[0], 10
        if len(data) < start + size:
            return None
        self._data = data[start + size :]
        return data[start : start + size]

    def _hear(self, frame: bytes) -> None:
        if not frame.startswith(b'{"do"'):
            # Jobs write to the topic too: their events keep the order and are not counted.
            seq = int(frame[frame.index(b'"seq":') + 6 :].split(b",", 1)[0])
            self.events = -(1 << 30) if seq != self.seq + 1 else self.events + (self.kind in frame)
            self.seq = seq
            return
        message = json.loads(frame)
        if message["do"] == "check":
            self._say(message)
        elif message["do"] == "subscribed":
            self.seq = message["seq"]
            self.subscribed.set_result(None)
        else:
            self._fail(str(message))

    def _say(self, message: dict[str, Any]) -> None:
        # A client must mask; with a mask of zeros the text stays as it is.
        text = json.dumps(message).encode()
        self._transport.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)

    def _fail(self, why: str) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(why))


def _itself(watcher: Watcher) -> Watcher:
    return watcher


async def watch(port: int, topic: str, kind: str, count: int) -> None:
    """Subscribe, say so, wait for the end of the input, tell what came."""
    loop = asyncio.get_running_loop()
    watchers = [Watcher(topic, kind, f"bench-watch-{n + 1}") for n in range(count)]
    for watcher in watchers:
        await loop.create_connection(partial(_itself, watcher), "127.0.0.1", port)
        await asyncio.wait_for(watcher.subscribed, 30)
    print("watching", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        wanted = int(line)
        # Everybody is to have everything within five seconds of the last write.
        for _ in range(100):
            if all(watcher.events >= wanted for watcher in watchers):
                break
            await asyncio.sleep(0.05)
        print(json.dumps([watcher.events for watcher in watchers]), flush=True)


class Crowd:
    """The watchers' process, as the bench sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def line(self) -> str:
        """Return what it says next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def assert_all_had(self, events: int) -> None:
        """Fail unless each watcher has had exactly `events` so far, or has within five seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{events}\n")
        self._process.stdin.flush()
        had = json.loads(self.line())
        assert set(had) == {events}, f"wanted {events} events each, had {sorted(set(had))}"


@contextmanager
def watching(port: int, topic: str, kind: str, count: int) -> Iterator[Crowd]:
    """Keep `count` sockets subscribed in a process of their own, counting events of `kind`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.watchers", str(port), topic, kind, str(count)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    crowd = Crowd(process)
    try:
        assert crowd.line() == "watching\n", "the watchers could not subscribe"
        yield crowd
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(watch(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
