"""Follow topics on the channel layer: one channel per hub, one group per topic."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from realtime import wake
from realtime.frames import Frame

logger = logging.getLogger(__name__)
RETRY_S = 1.0


class Follower:
    """Joins and leaves groups as the hub's topics change, and hands on what they carry.

    Without a layer that reaches other processes it does nothing. While the layer is away it
    tries again every second; the hub's poll brings the events meanwhile.
    """

    def __init__(
        self, offer: Callable[[Sequence[Frame]], None], behind: Callable[[str], None]
    ) -> None:
        self._offer = offer
        self._behind = behind
        self._wanted: dict[str, str] = {}
        self._joined: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def follow(self, topics: Sequence[str]) -> None:
        """Follow exactly these topics from now on."""
        # Asked first: naming the groups of thousands of topics at each subscription adds up.
        if wake.shared_layer() is None:
            return
        self._wanted = {wake.group_name(topic): topic for topic in topics}
        self._changed.set()
        if self._wanted and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            layer = wake.shared_layer()
            receiver: asyncio.Task[None] | None = None
            try:
                channel = await layer.new_channel()  # type: ignore[union-attr]
                self._joined = set()
                receiver = asyncio.create_task(self._receive(layer, channel))
                while not receiver.done():
                    self._changed.clear()
                    await self._reconcile(layer, channel)
                    await self._changed.wait()
            except Exception as error:  # noqa: BLE001 - whatever the layer raises, try again
                logger.warning("channel layer: %s: %s", type(error).__name__, error)
            finally:
                if receiver is not None:
                    receiver.cancel()
            await asyncio.sleep(RETRY_S)

    async def _reconcile(self, layer: Any, channel: str) -> None:
        for group in self._wanted.keys() - self._joined:
            await layer.group_add(group, channel)
            self._joined.add(group)
        for group in self._joined - self._wanted.keys():
            await layer.group_discard(group, channel)
            self._joined.discard(group)

    async def _receive(self, layer: Any, channel: str) -> None:
        try:
            while True:
                message = await layer.receive(channel)
                topic = message["topic"]
                if message["frames"]:
                    self._offer(
                        [Frame.of(topic, seq, text, at) for seq, text, at in message["frames"]]
                    )
                else:
                    self._behind(topic)
        finally:
            self._changed.set()
