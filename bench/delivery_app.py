"""The server of bench.delivery: our socket, a bare Channels consumer, and a trigger for each."""

from dataclasses import dataclass
from typing import Any, ClassVar

# First: it sets Django up.
from config.asgi import application as linli

# isort: split
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer

from common.unit_of_work import unit_of_work
from realtime import events, registry

TOPIC = "bench:1"
GROUP = "bench"

registry.register("bench", may_subscribe=lambda member, number: True)


@dataclass(frozen=True, kw_only=True)
class SeatClaimed(events.DomainEvent):
    """An event of the usual size."""

    type: ClassVar[str] = "seat.claimed"
    shift: int
    seat: int
    open_seats: int


class BareConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """What the Channels tutorial builds: one group entry per socket."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def seat_claimed(self, message: dict[str, Any]) -> None:
        """Send the event on."""
        await self.send_json(message["frame"])


bare = BareConsumer.as_asgi()


def record(count: int) -> None:
    """Write `count` events, each its own unit of work."""
    for n in range(count):
        with unit_of_work():
            events.record(SeatClaimed(shift=7, seat=n, open_seats=1), topics=[TOPIC])


async def group_send(count: int) -> None:
    """Send `count` events the bare way; nothing is stored."""
    layer = get_channel_layer()
    for n in range(count):
        data = {"shift": 7, "seat": n, "open_seats": 1}
        frame = {"topic": TOPIC, "seq": n, "type": "seat.claimed", "at": "2026-06-01", "data": data}
        await layer.group_send(GROUP, {"type": "seat.claimed", "frame": frame})


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`/bare/` beside `/ws/`; `/fire/<which>/<count>` writes or sends."""
    path = scope.get("path", "")
    if path == "/bare/":
        await bare(scope, receive, send)
    elif path.startswith("/fire/"):
        _, _, which, count = path.split("/")
        if which == "ours":
            await sync_to_async(record)(int(count))
        else:
            await group_send(int(count))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
    else:
        await linli(scope, receive, send)
