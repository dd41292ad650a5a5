"""Sockets and events for the tests of realtime."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from channels.testing import WebsocketCommunicator
from django.db import connection

from common.unit_of_work import unit_of_work
from config.asgi import application
from grids.people.backends import token_digest
from grids.people.models import ApiToken, Member
from realtime import events
from tests.factories import NOW, MemberFactory


@dataclass(frozen=True, kw_only=True)
class SomethingHappened(events.DomainEvent):
    type: ClassVar[str] = "account.changed"
    n: int
    text: str = ""


def happen(topic: str, *numbers: int, text: str = "") -> None:
    """Commit one unit of work with an event per number."""
    with unit_of_work():
        for n in numbers:
            events.record(SomethingHappened(n=n, text=text), topics=[topic])


async def soon(work: Callable[..., Any], *args: Any) -> Any:
    """Run `work` in a thread of its own, as a request would, and close its connection."""

    def run() -> Any:
        try:
            return work(*args)
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def a_member() -> tuple[Member, str]:
    """Make a member and a token."""
    member = MemberFactory()
    token = f"token-of-{member.pk}"
    ApiToken.objects.create(member=member, digest=token_digest(token), created_at=NOW)
    return member, token


class Socket(WebsocketCommunicator):  # type: ignore[misc]
    """A test client that speaks the protocol."""

    async def say(self, **frame: Any) -> None:
        await self.send_to(text_data=json.dumps(frame))

    async def hear(self, within_s: float = 20) -> Any:
        return await self.receive_json_from(timeout=within_s)

    async def ask(self, **frame: Any) -> Any:
        await self.say(**frame)
        return await self.hear()

    async def events(self, count: int, within_s: float = 20) -> list[tuple[int, int]]:
        """Hear `count` events; return (seq, n) of each."""
        heard = [await self.hear(within_s) for _ in range(count)]
        return [(frame["seq"], frame["data"]["n"]) for frame in heard]


def socket(headers: Sequence[tuple[bytes, bytes]] = (), path: str = "/ws/") -> Socket:
    return Socket(application, path, headers=list(headers))


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Token {token}".encode())]


async def signed_in() -> tuple[Member, Socket]:
    """A member with an open socket."""
    member, token = await soon(a_member)
    client = socket(bearer(token))
    accepted, _ = await client.connect(timeout=20)
    assert accepted
    return member, client
