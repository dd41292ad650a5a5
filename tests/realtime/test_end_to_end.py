"""Real server processes, a real client: in each mode and under each server."""

import asyncio
import contextlib
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common.unit_of_work import unit_of_work
from grids.people.models import ApiToken
from realtime import registry
from tests.realtime.helpers import a_member, happen, soon
from tests.servers import Running, server

pytestmark = pytest.mark.django_db(transaction=True)


def open_socket(running: Running, token: str) -> Any:
    return connect(running.ws, additional_headers={"Authorization": f"Token {token}"})


async def say(client: ClientConnection, **frame: Any) -> None:
    await client.send(json.dumps(frame))


async def hear(client: ClientConnection) -> Any:
    async with asyncio.timeout(30):
        return json.loads(await client.recv())


async def plays_the_whole_protocol(running: Running) -> None:
    """Subscribe, hear another process's events, lose the net, resume; bad frames; strangers."""
    member, token = await soon(a_member)
    topic = f"member:{member.pk}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(running.ws)
    assert refused.value.response.status_code == 403
    async with open_socket(running, token) as client:
        await say(client, do="subscribe", topic=topic, since=None)
        assert await hear(client) == {"do": "subscribed", "topic": topic, "seq": 0}
        for n in (1, 2):
            await soon(happen, topic, n)
            assert (await hear(client))["seq"] == n
        await client.send("nonsense")
        assert (await hear(client))["code"] == "bad_request"
        await client.send(b"\x00\xff")
        assert (await hear(client))["code"] == "bad_request"
    for n in range(3, 51):
        await soon(happen, topic, n)
    async with open_socket(running, token) as client:
        await say(client, do="subscribe", topic=topic, since=2)
        assert (await hear(client))["seq"] == 50
        assert [(await hear(client))["seq"] for _ in range(48)] == list(range(3, 51))

        def sign_out() -> None:
            with unit_of_work():
                ApiToken.objects.filter(member=member).delete()
                registry.recheck(member.pk)

        await soon(sign_out)
        with pytest.raises(ConnectionClosed) as closed:
            await hear(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def stops_reading(running: Running) -> None:
    """Be cut off without costing the server memory, and resume missing nothing."""
    member, token = await soon(a_member)
    topic = f"member:{member.pk}"
    async with connect(
        running.ws,
        additional_headers={"Authorization": f"Token {token}"},
        max_queue=1,
        max_size=2**22,
    ) as client:
        await say(client, do="subscribe", topic=topic, since=None)
        await hear(client)
        before = memory_mb(running.process.pid)
        text = "x" * 20_000
        for _ in range(50):
            await soon(lambda: happen(topic, *range(5), text=text))
        for _ in range(60):
            _, metrics = await asyncio.to_thread(get, f"{running.http}/metrics")
            if "linli_sockets_closed_slow_total 1.0" in metrics:
                break
            await asyncio.sleep(0.25)
        assert "linli_sockets_closed_slow_total 1.0" in metrics
        assert memory_mb(running.process.pid) - before < 30
        seqs = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await hear(client)
                if "seq" in frame:
                    seqs.append(frame["seq"])
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) < 250
    async with open_socket(running, token) as client:
        await say(client, do="subscribe", topic=topic, since=seqs[-1] if seqs else 0)
        assert (await hear(client))["seq"] == 250
        while not seqs or seqs[-1] < 250:
            frame = await hear(client)
            if frame.get("do") == "check":
                await say(client, **frame)
            else:
                seqs.append(frame["seq"])
    assert seqs == list(range(1, 251))


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_serve_is_all_in_one() -> None:
    with server(kind="serve") as running:
        await plays_the_whole_protocol(running)
        await stops_reading(running)
        for _ in range(50):
            status, body = await asyncio.to_thread(get, f"{running.http}/readyz")
            if status == 200:
                break
            await asyncio.sleep(0.1)
        assert status == 200, body
        _, text = await asyncio.to_thread(get, f"{running.http}/metrics")
        assert "linli_sockets_open 0.0" in text
    assert running.process.returncode == 0, "told to stop, it stops cleanly"


async def test_uvicorn_runs_the_same_application() -> None:
    with server(kind="uvicorn") as running:
        await plays_the_whole_protocol(running)


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.redis
@pytest.mark.postgres
async def test_two_servers_with_redis_hear_each_other_at_once() -> None:
    """Hints cross processes: much faster than the poll's second."""
    member, token = await soon(a_member)
    topic = f"member:{member.pk}"
    loop = asyncio.get_running_loop()
    with server(kind="daphne") as one, server(kind="daphne") as two:
        async with open_socket(one, token) as first, open_socket(two, token) as second:
            for client in (first, second):
                await say(client, do="subscribe", topic=topic, since=None)
                await hear(client)
            await asyncio.sleep(0.3)
            waits = []
            for n in range(1, 21):
                await soon(happen, topic, n)
                started = loop.time()
                for client in (first, second):
                    assert (await hear(client))["seq"] == n
                waits.append(loop.time() - started)
            # By the poll alone half of them would take longer than half a second.
            assert sorted(waits)[10] < 0.45
