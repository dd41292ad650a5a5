"""The way out of one socket: a bounded queue, and a window that finds clients which don't read.

A server's `send` never blocks under daphne (it buffered 300 MB for a client that did not read),
so slowness is found by the protocol: after every CHECK_EVERY bytes the socket is sent
`{"do":"check","n":…}`. At most WINDOW bytes go out beyond the last one echoed; then the queue
fills; then the socket is closed with 4008 and the client resumes by `seq`.

Under daphne a frame goes to the transport at once, in the bytes that all sockets share: through
daphne and autobahn it costs ten times as much, and a claim would pay for all who watch.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from realtime import metrics
from realtime.frames import dumps, on_the_wire

logger = logging.getLogger(__name__)

CHECK_EVERY = 128 * 1024
WINDOW = 1024 * 1024
QUEUE_BYTES = 256 * 1024
QUEUE_FRAMES = 1000
ECHO_WITHIN_S = 10.0
TOO_SLOW = 4008
SIGNED_OUT = 4401
TRY_AGAIN = 1013

Send = Callable[[dict[str, Any]], Awaitable[None]]
Write = Callable[[bytes], None]


def writer(send: Send) -> Write | None:
    """Return what puts a whole frame on the wire of daphne's open socket; None elsewhere.

    None as well for a socket that negotiated compression: that is autobahn's to do.
    """
    daphne = sys.modules.get("daphne.ws_protocol")
    protocol = send.args[0] if isinstance(send, partial) and send.args else None
    if daphne is None or not isinstance(protocol, daphne.WebSocketProtocol):
        return None
    if protocol._perMessageCompress is not None:
        return None

    def write(wire: bytes) -> None:
        if protocol.state == protocol.STATE_OPEN:
            protocol.transport.write(wire)

    return write


class Outbox:
    """Queue and sender task of one socket; everything runs in that socket's event loop."""

    def __init__(self, send: Send, *, on_close: Callable[[], None]) -> None:
        self._send = send
        self._write = writer(send)
        self._on_close = on_close
        self._queue: deque[tuple[str, bytes]] = deque()
        self.queued = 0
        self._sent = 0
        self._echoed = 0
        self._checks: deque[tuple[int, int]] = deque()
        self._last_check = 0
        self._stalled = False
        self._news = asyncio.Event()
        self._echo = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.closed_with: int | None = None
        self._sender = asyncio.create_task(self._run())
        self._closer: asyncio.Task[None] | None = None

    def put(self, text: str, wire: bytes) -> None:
        """Send or queue one frame; a socket that can't keep up is closed instead."""
        if self.closed_with is not None:
            return
        size = len(wire)
        if self._write is not None and not self._queue and self._fits(size):
            self._write(wire)
            self._sent += size
            metrics.frames_sent.total += 1
            if self._sent - self._marked() >= CHECK_EVERY:
                self._write(on_the_wire(self._next_check()))
            return
        self._queue.append((text, wire))
        self.queued += size
        # Only a sender that waits for the client counts as slow: one that has not had its turn
        # yet drains the queue in the same breath.
        full = self.queued > QUEUE_BYTES or len(self._queue) > QUEUE_FRAMES
        if full and self._stalled:
            self.close(TOO_SLOW)
            return
        self._room.clear()
        self._news.set()

    def put_message(self, message: dict[str, Any]) -> None:
        """Queue an answer of the protocol, in order with the events."""
        text = dumps(message)
        self.put(text, on_the_wire(text))

    async def room(self) -> None:
        """Wait until the queue is empty: a replay goes at the client's own pace."""
        await self._room.wait()

    def echo(self, n: int) -> bool:
        """Take the client's echo of check `n`, and so of all before it; False if never sent."""
        if not 0 < n <= self._last_check:
            return False
        while self._checks and self._checks[0][0] <= n:
            self._echoed = self._checks.popleft()[1]
        self._echo.set()
        return True

    def close(self, code: int) -> None:
        """Close the socket with `code`, dropping what is still queued."""
        if self.closed_with is not None:
            return
        self.closed_with = code
        if code == TOO_SLOW:
            metrics.closed_slow.inc()
        self._queue.clear()
        self._sender.cancel()
        self._room.set()
        self._on_close()
        self._closer = asyncio.create_task(self._say_goodbye(code))

    def stop(self) -> None:
        """The socket is gone: end the sender."""
        if self.closed_with is None:
            self.closed_with = 1000
        self._sender.cancel()
        self._room.set()
        self._queue.clear()

    async def _say_goodbye(self, code: int) -> None:
        try:
            # Under uvicorn this waits for a client that doesn't read.
            async with asyncio.timeout(5):
                await self._send({"type": "websocket.close", "code": code})
        except Exception as error:  # noqa: BLE001 - the peer is gone, in whatever way
            logger.info("closing a socket: %s", type(error).__name__)

    async def _run(self) -> None:
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                sent = 0
                while self._queue:
                    text, wire = self._queue[0]
                    size = len(wire)
                    if not self._fits(size):
                        await self._wait_for_echo()
                        continue
                    self._queue.popleft()
                    self.queued -= size
                    self._sent += size
                    sent += 1
                    await self._put_out(text, wire)
                    if self._sent - self._marked() >= CHECK_EVERY:
                        check = self._next_check()
                        await self._put_out(check, on_the_wire(check))
                metrics.frames_sent.total += sent
                self._room.set()
        except TimeoutError:
            self.close(TOO_SLOW)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the peer is gone; receive() will tell us
            logger.info("sending to a socket: %s", type(error).__name__)

    def _marked(self) -> int:
        """Bytes sent when the last check went out."""
        return self._checks[-1][1] if self._checks else self._echoed

    def _fits(self, size: int) -> bool:
        """Say whether the window has room for `size` bytes more."""
        return self._sent - self._echoed + size <= WINDOW or not self._checks

    def _next_check(self) -> str:
        self._last_check += 1
        self._checks.append((self._last_check, self._sent))
        return dumps({"do": "check", "n": self._last_check})

    async def _put_out(self, text: str, wire: bytes) -> None:
        if self._write is not None:
            self._write(wire)
            return
        self._stalled = True
        await self._send({"type": "websocket.send", "text": text})
        self._stalled = False

    async def _wait_for_echo(self) -> None:
        self._stalled = True
        self._echo.clear()
        try:
            async with asyncio.timeout(ECHO_WITHIN_S):
                await self._echo.wait()
        finally:
            self._stalled = False
