"""One hub per process and event loop: each topic followed once, each frame encoded once.

Truth is the log. Frames come by a hint (this process's own writes, or the channel layer's) and
go straight to the sockets if they continue the stream; anything else makes the hub fetch what
is missing. Once a second, while anybody is subscribed, one query reads the heads of all topics
followed: so the last event before a silence, and those of processes that can't send hints,
arrive as well. Each socket gets each topic in order, without holes or repeats.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import close_old_connections, connection

from common.asgi import InFlight
from realtime import metrics, queries, wake
from realtime.frames import Frame
from realtime.layer import Follower
from realtime.outbox import TRY_AGAIN, Outbox
from realtime.registry import CONTROL_TOPIC

logger = logging.getLogger(__name__)

POLL_S = 1.0
PAGE = 200
RING = 256
# While requests are being answered, telling a crowd takes at most a tenth of the process's time:
# after each round the hub rests nine times as long as the round took, and what comes meanwhile
# goes out together. So a claim costs hardly more when everybody watches.
REST = 9.0
REST_AT_MOST_S = 0.05
# A replay queues no more than this: what else the socket is sent must find room.
REPLAY_BYTES = 64 * 1024
# The poll has a thread of its own: a crowd that reconnects must not hold it up.
_poll_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="linli-hub")
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="linli-sockets")

_hubs: dict[asyncio.AbstractEventLoop, "Hub"] = {}


async def in_thread(work: Callable[..., Any], *args: Any) -> Any:
    """Run database work of a socket in a thread and give the connection back."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _lent, work, args)


async def _in_poll_thread(work: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_poll_thread, _lent, work, args)


def _lent(work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    # As channels.db.database_sync_to_async does, in threads of our own: its default is one
    # thread for all sockets of the process. PostgreSQL's go back to the pool; opening SQLite's
    # costs more than our queries, so these few threads keep theirs.
    try:
        return work(*args)
    finally:
        if connection.vendor != "sqlite" or connection.errors_occurred:
            close_old_connections()


def the_hub() -> "Hub":
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    for gone in [other for other in _hubs if other.is_closed()]:
        wake.hubs.discard(_hubs.pop(gone))
    if loop not in _hubs:
        _hubs[loop] = Hub(loop)
        wake.hubs.add(_hubs[loop])
    return _hubs[loop]


class Subscription:
    """One socket's place in one topic; `pos` is the last seq it was given."""

    def __init__(self, stream: "Stream", outbox: Outbox) -> None:
        self.stream = stream
        self.outbox = outbox
        self.pos = 0
        self.closed = False
        self.replay: asyncio.Task[None] | None = None

    def give(self, frame: Frame) -> None:
        """Queue a frame unless the socket has it."""
        if frame.seq > self.pos:
            self.pos = frame.seq
            self.outbox.put(frame.text, frame.wire)


class Stream:
    """One topic as this hub follows it.

    `pos` is the last seq handed out, None until the first head is read; `ring` the last frames,
    from which a socket that caught up goes live; `ahead` frames that came before their turn.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.pos: int | None = None
        self.ring: deque[Frame] = deque(maxlen=RING)
        self.ahead: dict[int, Frame] = {}
        self.subscriptions: set[Subscription] = set()
        self.live: set[Subscription] = set()

    def begin(self, head: int) -> None:
        """Start from `head`, once it is known."""
        if self.pos is None:
            self.pos = head
            self.drain()

    def drain(self) -> list[Frame]:
        """Hand out what continues the stream; return it. What is left in `ahead` has a hole."""
        if self.pos is None:
            return []
        given: list[Frame] = []
        while (frame := self.ahead.pop(self.pos + 1, None)) is not None:
            self.pos = frame.seq
            self.ring.append(frame)
            given.append(frame)
            # A copy: a socket that can't keep up leaves while it is given the frame.
            for subscription in list(self.live):
                subscription.give(frame)
        if self.ahead:
            self.ahead = {seq: frame for seq, frame in self.ahead.items() if seq > self.pos}
        return given

    def restart(self, head: int) -> None:
        """The log between here and `head` is gone: everybody reloads."""
        self.pos = head
        self.ring.clear()
        self.drain()
        for subscription in list(self.live):
            subscription.pos = head
            subscription.outbox.put_message({"do": "reset", "topic": self.topic, "seq": head})


class Hub:
    """Follows topics for the sockets of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.streams: dict[str, Stream] = {}
        self.on_recheck: dict[int, set[Callable[[], None]]] = {}
        self._behind: set[str] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._control = Stream(CONTROL_TOPIC)
        self._control_known = asyncio.Lock()
        self._follower = Follower(self.offer, self._fall_behind)
        self._waiting: set[str] = set()
        self._rests = False

    # --- Sockets come and go -----------------------------------------------------------------

    def open(self, topic: str, outbox: Outbox) -> Subscription:
        """Follow `topic` from now on, keeping its hints; `start` decides where from."""
        if topic not in self.streams:
            self.streams[topic] = Stream(topic)
            metrics.topics_open.inc()
            self._follow()
        stream = self.streams[topic]
        subscription = Subscription(stream, outbox)
        stream.subscriptions.add(subscription)
        metrics.subscriptions_open.inc()
        return subscription

    async def ready(self) -> None:
        """Know where the control topic stands: any role withdrawn later will be noticed."""
        async with self._control_known:
            if self._control.pos is None:
                head = await in_thread(queries.head, CONTROL_TOPIC)
                self._control.begin(head)

    def start(
        self, subscription: Subscription, *, head: int, pos: int, frames: Sequence[Frame] = ()
    ) -> None:
        """Give what comes after `pos`, then stream.

        `head` is the topic's, just read; `frames` the first page after `pos`, read with it.
        """
        if subscription.closed:
            return
        subscription.stream.begin(head)
        subscription.pos = pos
        if not frames and self._go_live(subscription):
            return
        subscription.replay = asyncio.create_task(self._replay(subscription, frames))

    def close(self, subscription: Subscription) -> None:
        """Stop giving; the last one out stops the topic."""
        if subscription.closed:
            return
        subscription.closed = True
        metrics.subscriptions_open.dec()
        if subscription.replay is not None:
            subscription.replay.cancel()
        stream = subscription.stream
        stream.subscriptions.discard(subscription)
        stream.live.discard(subscription)
        if not stream.subscriptions and self.streams.get(stream.topic) is stream:
            del self.streams[stream.topic]
            metrics.topics_open.dec()
            self._behind.discard(stream.topic)
            self._follow()

    def _follow(self) -> None:
        topics = [*self.streams, CONTROL_TOPIC] if self.streams else []
        self._follower.follow(topics)
        if self.streams and self._task is None:
            self._task = asyncio.create_task(self._run())
        if not self.streams:
            # Nobody listens: no query is made. Where control stands is read again next time.
            self._control = Stream(CONTROL_TOPIC)
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def _go_live(self, subscription: Subscription) -> bool:
        """Let the hub's stream take over, without a pause in which a frame could slip by."""
        stream = subscription.stream
        if stream.pos is None:
            return False
        if subscription.pos < stream.pos:
            if not stream.ring or stream.ring[0].seq > subscription.pos + 1:
                return False
            for frame in stream.ring:
                subscription.give(frame)
        # A socket that could not take the ring has left meanwhile.
        if not subscription.closed:
            stream.live.add(subscription)
        return True

    async def _replay(self, subscription: Subscription, frames: Sequence[Frame]) -> None:
        """Give the log in pages, at the client's pace, until the stream can take over."""
        topic, outbox = subscription.stream.topic, subscription.outbox
        try:
            while True:
                for frame in frames:
                    if outbox.queued > REPLAY_BYTES:
                        await outbox.room()
                    subscription.give(frame)
                if subscription.closed or self._go_live(subscription):
                    return
                await outbox.room()
                frames = await in_thread(_page, topic, subscription.pos)
                if not frames or frames[0].seq != subscription.pos + 1:
                    subscription.pos = await in_thread(queries.head, topic)
                    message = {"do": "reset", "topic": topic, "seq": subscription.pos}
                    outbox.put_message(message)
                    frames = ()
        except Exception as error:  # noqa: BLE001 - the client comes back and resumes by seq
            logger.warning("replaying %s: %s", topic, error)
            outbox.close(TRY_AGAIN)

    # --- Events come in ------------------------------------------------------------------------

    def offer_from_thread(self, frames: Sequence[Frame]) -> None:
        """Take committed frames from the thread that wrote them."""
        try:
            self.loop.call_soon_threadsafe(self.offer, frames)
        except RuntimeError:
            wake.hubs.discard(self)

    def offer(self, frames: Sequence[Frame]) -> None:
        """Take frames in any order; give what continues a stream, fetch where there is a hole."""
        by_topic: dict[str, list[Frame]] = {}
        for frame in frames:
            by_topic.setdefault(frame.topic, []).append(frame)
        for topic, offered in by_topic.items():
            stream = self._stream(topic)
            if stream is None:
                continue
            if len(offered) + len(stream.ahead) > RING:
                # A flood goes out in pages, so that healthy sockets can keep up.
                self._fall_behind(topic)
                continue
            for frame in offered:
                if stream.pos is None or frame.seq > stream.pos:
                    stream.ahead[frame.seq] = frame
            if stream is self._control:
                self._drain(stream)
            else:
                self._waiting.add(topic)
        if self._waiting and not self._rests:
            self._round()

    def _round(self) -> None:
        """Give all that waits; then rest in proportion to what it cost."""
        waiting, self._waiting = self._waiting, set()
        began = time.thread_time()
        for topic in waiting:
            stream = self.streams.get(topic)
            if stream is not None:
                self._drain(stream)
        self._rests = True
        # Twice round the loop: by then the senders and the transports have had their turn.
        self.loop.call_soon(self.loop.call_soon, self._rest, began)

    def _rest(self, began: float) -> None:
        cost = time.thread_time() - began
        pause = min(REST_AT_MOST_S, REST * cost) if InFlight.count else 0.0
        self.loop.call_later(pause, self._rested)

    def _rested(self) -> None:
        self._rests = False
        if self._waiting:
            self._round()

    def _drain(self, stream: Stream) -> None:
        given = stream.drain()
        if stream.ahead and stream.pos is not None:
            self._fall_behind(stream.topic)
        now = time.time()
        for frame in given:
            metrics.event_lag.observe(max(0.0, now - frame.at))
            if stream is self._control:
                self._recheck(frame)

    def _stream(self, topic: str) -> Stream | None:
        return self._control if topic == CONTROL_TOPIC else self.streams.get(topic)

    def _fall_behind(self, topic: str) -> None:
        self._behind.add(topic)
        self._news.set()

    def _recheck(self, frame: Frame) -> None:
        for ask in list(self.on_recheck.get(_member_of(frame), ())):
            ask()

    async def _run(self) -> None:
        """Fetch what is missing: at once where a hole was seen, and by heads once a second."""
        next_poll = self.loop.time() + POLL_S
        while True:
            try:
                async with asyncio.timeout_at(next_poll):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                if self.loop.time() >= next_poll:
                    next_poll = self.loop.time() + POLL_S
                    await self._poll()
                while self._behind:
                    await self._fetch()
            except Exception as error:  # noqa: BLE001 - a restarting database must not end it
                logger.warning("event log: %s: %s", type(error).__name__, error)
                await asyncio.sleep(POLL_S)

    async def _poll(self) -> None:
        heads = await _in_poll_thread(queries.heads, [*self.streams, CONTROL_TOPIC])
        for topic, head in heads.items():
            stream = self._stream(topic)
            if stream is not None and stream.pos is not None and stream.pos < head:
                self._behind.add(topic)

    async def _fetch(self) -> None:
        """Read one page of what is missing, for all sockets at once."""
        positions: dict[str, int] = {}
        for topic in list(self._behind):
            stream = self._stream(topic)
            if stream is None or stream.pos is None:
                self._behind.discard(topic)
            elif len(positions) < queries.TOPICS:
                positions[topic] = stream.pos
        heads, frames = await _in_poll_thread(_missing, positions)
        metrics.events_fetched.inc(len(frames))
        found: dict[str, list[Frame]] = {topic: [] for topic in positions}
        for frame in frames:
            found[frame.topic].append(frame)
        for topic, got in found.items():
            stream = self._stream(topic)
            if stream is not None and stream.pos is not None:
                self._take(stream, got, head=heads.get(topic, 0), whole=len(frames) < PAGE)
        # Let the senders run between pages.
        await asyncio.sleep(0)

    def _take(self, stream: Stream, got: list[Frame], *, head: int, whole: bool) -> None:
        """Give a fetched page; `head` was read before it, `whole` says that it is the last."""
        assert stream.pos is not None
        if got and got[0].seq > stream.pos + 1:
            stream.restart(got[0].seq - 1)
            self._after_restart(stream)
        elif not got and whole and head > stream.pos:
            stream.restart(head)
            self._after_restart(stream)
        stream.ahead.update({frame.seq: frame for frame in got if frame.seq > stream.pos})
        self._drain(stream)
        if not got and whole:
            # Whatever still waits for a predecessor that the log doesn't have is not from it.
            stream.ahead.clear()
            self._behind.discard(stream.topic)

    def _after_restart(self, stream: Stream) -> None:
        """Who may have been withdrawn in the lost part is unknown: ask everybody again."""
        if stream is self._control:
            for asks in list(self.on_recheck.values()):
                for ask in list(asks):
                    ask()


def _missing(positions: dict[str, int]) -> tuple[dict[str, int], list[Frame]]:
    """Read heads, then frames: what a head promises and the page lacks has been pruned."""
    heads = queries.heads(list(positions))
    return heads, queries.frames_after(positions, limit=PAGE)


def _page(topic: str, pos: int) -> list[Frame]:
    return queries.frames_after({topic: pos}, limit=PAGE)


def _member_of(frame: Frame) -> int:
    return int(json.loads(frame.text)["data"]["member"])
