"""Hand committed events to the hubs: only a hint, since each hub also reads its topics' heads
once a second. So nothing here may block or fail a request.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.db import connection

from realtime.frames import Frame

logger = logging.getLogger(__name__)
# More frames than this for one topic are not sent along: the hubs fetch them in pages.
CARRIED = 200


class _Hub(Protocol):
    def offer_from_thread(self, frames: Sequence[Frame]) -> None: ...


hubs: set[_Hub] = set()


def group_name(topic: str) -> str:
    """Name a topic's group: layers allow no ":"; two sites on one Redis never share a group."""
    site = _site(f"{settings.SECRET_KEY}{connection.settings_dict['NAME']}")
    return f"linli.{site}.{topic.replace(':', '-')}"


@lru_cache(maxsize=4)
def _site(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def shared_layer() -> Any | None:
    """Return the channel layer if it reaches other processes.

    The in-memory layer does not, and belongs to one event loop: it is never used.
    """
    layer = get_channel_layer()
    return None if layer is None or isinstance(layer, InMemoryChannelLayer) else layer


def frames(committed: Sequence[Frame]) -> None:
    """Hand these frames to this process's hubs at once, and to other processes by the layer."""
    for hub in list(hubs):
        hub.offer_from_thread(committed)
    if shared_layer() is not None:
        _publisher.publish(committed)


class Publisher:
    """A thread with its own event loop that sends hints to the layer, so that no writer waits.

    When the layer is slow or gone, hints are dropped: the hubs find the events themselves.
    """

    def __init__(self) -> None:
        self._start = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Queue[dict[str, Any]] | None = None

    def publish(self, committed: Sequence[Frame]) -> None:
        """Queue one message per topic; called from any thread."""
        by_topic: dict[str, list[Frame]] = {}
        for frame in committed:
            by_topic.setdefault(frame.topic, []).append(frame)
        messages = [
            {
                "type": "frames",
                "topic": topic,
                "head": carried[-1].seq,
                "frames": [[f.seq, f.text, f.at] for f in carried]
                if len(carried) <= CARRIED
                else [],
            }
            for topic, carried in by_topic.items()
        ]
        with self._start:
            if self._loop is None:
                started = threading.Event()
                threading.Thread(
                    target=self._run, args=(started,), name="linli-publisher", daemon=True
                ).start()
                started.wait()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._enqueue, messages)

    def _enqueue(self, messages: list[dict[str, Any]]) -> None:
        assert self._waiting is not None
        for message in messages:
            if not self._waiting.full():
                self._waiting.put_nowait(message)

    def _run(self, started: threading.Event) -> None:
        async def main() -> None:
            self._waiting = asyncio.Queue(maxsize=1000)
            self._loop = asyncio.get_running_loop()
            started.set()
            while True:
                message = await self._waiting.get()
                layer = shared_layer()
                try:
                    if layer is not None:
                        async with asyncio.timeout(2):
                            await layer.group_send(group_name(message["topic"]), message)
                except Exception as error:  # noqa: BLE001 - whatever the layer raises, go on
                    logger.warning("channel layer: %s: %s", type(error).__name__, error)

        asyncio.run(main())


_publisher = Publisher()
