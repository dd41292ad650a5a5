"""Nothing is missed, nothing comes twice: order, races, slow clients, silence."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from django.db import IntegrityError, connection
from websockets.client import ClientProtocol
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from common.asgi import InFlight
from common.unit_of_work import unit_of_work
from realtime import events, outbox, queries, services, wake
from realtime.frames import Frame, on_the_wire
from realtime.hub import the_hub
from realtime.models import Event, Topic
from tests.factories import NOW
from tests.realtime.helpers import SomethingHappened, bearer, happen, signed_in, socket, soon

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def no_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write as another process without a shared layer does: no hub is woken."""
    monkeypatch.setattr(wake, "frames", lambda committed: None)


def write_at_once(topics: Sequence[str], *, threads: int, each: int) -> None:
    """Let threads commit events to the same topics as fast as they can."""
    start = threading.Barrier(threads)

    def run(number: int) -> None:
        try:
            start.wait()
            for n in range(each):
                with unit_of_work():
                    event = SomethingHappened(n=number * 1000 + n)
                    events.record(event, topics=topics)
        finally:
            connection.close()

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


async def test_concurrent_writers_are_heard_in_commit_order_without_a_hole() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    await asyncio.to_thread(write_at_once, [topic, "cell:7"], threads=6, each=20)
    heard = await client.events(120, within_s=10)
    assert [seq for seq, _ in heard] == list(range(1, 121))
    assert len({n for _, n in heard}) == 120
    for number in range(6):
        mine = [n for _, n in heard if n // 1000 == number]
        assert mine == sorted(mine), "each writer's own commits are in their order"
    await client.disconnect()


@pytest.mark.postgres
def test_without_the_topics_lock_two_commits_take_the_same_seq(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: a log that reads the head and then adds one fails in the same race.

    SQLite lets one writer in at a time, so only PostgreSQL shows it.
    """
    both_have_read = threading.Barrier(2, timeout=10)

    def naive(counts: dict[str, int]) -> dict[str, tuple[int, int]]:
        ((name, by),) = counts.items()
        topic = Topic.objects.get(name=name)
        both_have_read.wait()
        Topic.objects.filter(pk=topic.pk).update(head=topic.head + by)
        return {name: (topic.pk, topic.head + by)}

    Topic.objects.create(name="cell:7")
    monkeypatch.setattr(events, "_advance", naive)
    refused: list[IntegrityError] = []

    def write() -> None:
        try:
            happen("cell:7", 1)
        except IntegrityError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert Event.objects.count() == 1


async def test_subscribing_amid_writes_loses_nothing() -> None:
    """Sockets join while events pour in: replay and stream meet without a hole or a repeat."""
    member, first = await signed_in()
    topic = f"member:{member.pk}"
    token = f"token-of-{member.pk}"
    writing = asyncio.create_task(asyncio.to_thread(write_at_once, [topic], threads=3, each=40))
    clients = [first]
    for n in range(6):
        client = socket(bearer(token))
        assert (await client.connect(timeout=20))[0]
        clients.append(client)
        await client.say(do="subscribe", topic=topic, since=0)
        await asyncio.sleep(0.01 * n)
    await first.say(do="subscribe", topic=topic, since=0)
    await writing
    for client in clients:
        frame = await client.hear()
        assert frame.get("do") == "subscribed"
        assert [seq for seq, _ in await client.events(120)] == list(range(1, 121))
        assert await client.receive_nothing(timeout=0.05)
        await client.disconnect()


async def test_a_burst_reaches_many_sockets_whole() -> None:
    member, first = await signed_in()
    topic = f"member:{member.pk}"
    clients = [first]
    for _ in range(19):
        client = socket(bearer(f"token-of-{member.pk}"))
        assert (await client.connect(timeout=20))[0]
        clients.append(client)
    for client in clients:
        await client.ask(do="subscribe", topic=topic, since=None)

    def burst() -> None:
        for n in range(1, 301):
            happen(topic, n)

    await soon(burst)
    for client in clients:
        assert await client.events(300) == [(n, n) for n in range(1, 301)]
        assert await client.receive_nothing(timeout=0.02)
        await client.disconnect()


async def test_one_commit_with_a_thousand_events_reaches_a_socket_whole() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    await soon(happen, topic, *range(1, 1001))
    heard = []
    while len(heard) < 1000:
        frame = await client.hear()
        if frame.get("do") == "check":
            await client.say(**frame)
        else:
            heard.append(frame["seq"])
    assert heard == list(range(1, 1001))
    await client.disconnect()


@pytest.mark.usefixtures("no_hints")
async def test_events_of_another_process_arrive_without_a_hint() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    for n in (1, 2):
        await soon(happen, topic, n)
        assert await client.events(1, within_s=20) == [(n, n)]
    await client.disconnect()


async def test_hints_out_of_order_twice_or_lost_change_nothing() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    kept: list[Frame] = []
    real, wake.frames = wake.frames, kept.extend  # type: ignore[assignment]
    try:
        for n in range(1, 7):
            await soon(happen, topic, n)
    finally:
        wake.frames = real
    hub = the_hub()
    for index in (2, 1, 1, 0, 0, 5):
        hub.offer([kept[index]])
    assert [seq for seq, _ in await client.events(6)] == [1, 2, 3, 4, 5, 6]
    assert await client.receive_nothing(timeout=0.05)
    await client.disconnect()


async def test_a_hint_that_the_log_does_not_know_is_dropped() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    the_hub().offer([Frame.of(topic, 99, "{}", 0.0)])
    await asyncio.sleep(0.2)
    assert the_hub().streams[topic].ahead == {}
    await soon(happen, topic, 1)
    assert await client.events(1) == [(1, 1)]
    await client.disconnect()


async def test_a_crowd_is_told_together_while_requests_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events of a rest go out in the next round: whole and in order, in fewer rounds."""
    monkeypatch.setattr(InFlight, "count", 1)
    monkeypatch.setattr("realtime.hub.REST", 1e9)
    monkeypatch.setattr("realtime.hub.REST_AT_MOST_S", 1.0)
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    rounds: list[int] = []
    hub = the_hub()
    tell = hub._round
    monkeypatch.setattr(hub, "_round", lambda: (rounds.append(1), tell()))
    for n in range(1, 21):
        await soon(happen, topic, n)
    assert await client.events(20) == [(n, n) for n in range(1, 21)]
    assert 1 <= len(rounds) < 20
    await client.disconnect()


async def test_under_daphne_frames_go_straight_to_the_transport() -> None:
    """As daphne itself builds our `send`: a release that wraps it would cost the speed unseen."""
    sends: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        sends.append(send)

    written: list[bytes] = []
    protocol = WebSocketProtocol.__new__(WebSocketProtocol)
    protocol.state = WebSocketProtocol.STATE_OPEN
    protocol.transport = SimpleNamespace(write=written.append)
    protocol._perMessageCompress = None
    daphne = Server(application=application, endpoints=["unix:nowhere"])
    daphne.connections = {protocol: {}}
    daphne.create_application(protocol, {"type": "websocket"})
    await asyncio.sleep(0)
    box = outbox.Outbox(sends[0], on_close=lambda: None)
    box.put_message({"do": "pong"})
    assert written == [on_the_wire('{"do":"pong"}')]
    box.stop()
    protocol.state = WebSocketProtocol.STATE_CLOSED
    box._write(b"late")
    assert len(written) == 1
    protocol._perMessageCompress = object()
    assert outbox.writer(sends[0]) is None


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_on_the_wire_is_what_other_implementations_read(size: int) -> None:
    parser = ClientProtocol(parse_uri("ws://example.org/"), state=OPEN)
    text = "邻" + "x" * (size - 3) if size >= 3 else ""
    parser.receive_data(on_the_wire(text))
    (frame,) = parser.events_received()
    assert isinstance(frame, WireFrame)
    assert (frame.opcode, frame.fin, bytes(frame.data).decode()) == (Opcode.TEXT, True, text)
    assert parser.close_expected() is False


@pytest.mark.usefixtures("no_hints")
async def test_a_stream_whose_missing_part_was_pruned_is_reset() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)

    def write_and_prune() -> None:
        with unit_of_work():
            for n in (1, 2, 3):
                events.record(SomethingHappened(n=n), topics=[topic])
        Event.objects.filter(seq__lte=2).delete()

    # In one transaction's stead: the hub must not poll in between.
    the_hub()._poll = _nothing  # type: ignore[method-assign]
    await soon(write_and_prune)
    del the_hub()._poll
    assert await client.hear() == {"do": "reset", "topic": topic, "seq": 2}
    assert await client.events(1) == [(3, 3)]
    await client.disconnect()


async def _nothing() -> None:
    return None


async def test_no_query_is_made_while_nobody_listens_nor_per_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = queries.heads

    def heads(names: Sequence[str]) -> dict[str, int]:
        asked.append("heads")
        return real(names)

    def frames_after(*args: Any, **kwargs: Any) -> list[Frame]:
        asked.append("frames")
        return []

    monkeypatch.setattr(queries, "heads", heads)
    monkeypatch.setattr(queries, "frames_after", frames_after)
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    for n in range(1, 21):
        await soon(happen, topic, n)
    assert len(await client.events(20)) == 20
    assert "frames" not in asked
    await client.disconnect()
    await asyncio.sleep(0)
    asked.clear()
    assert the_hub().streams == {}
    await asyncio.sleep(1.2)
    assert asked == []


# --- Slow clients --------------------------------------------------------------------------------


async def test_a_client_that_does_not_echo_is_closed_and_resumes_missing_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "CHECK_EVERY", 2_000)
    monkeypatch.setattr(outbox, "WINDOW", 10_000)
    monkeypatch.setattr(outbox, "QUEUE_BYTES", 5_000)
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)

    def pour() -> None:
        for n in range(1, 101):
            happen(topic, n, text="x" * 300)

    await soon(pour)
    last, checks, sent = 0, 0, 0
    while True:
        message = await client.receive_output(timeout=20)
        if message["type"] == "websocket.close":
            assert message["code"] == 4008
            break
        sent += len(message["text"])
        if '"check"' in message["text"]:
            checks += 1
        else:
            last += 1
    assert 0 < last < 100
    assert checks == 4 or checks == 5
    assert sent < 11_000
    await client.disconnect()
    again = socket(bearer(f"token-of-{member.pk}"))
    assert (await again.connect(timeout=20))[0]
    answer = await again.ask(do="subscribe", topic=topic, since=last)
    assert answer["seq"] == 100
    heard = []
    while len(heard) < 100 - last:
        frame = await again.hear()
        if frame.get("do") == "check":
            await again.say(**frame)
        else:
            heard.append(frame["seq"])
    assert heard == list(range(last + 1, 101))
    await again.disconnect()


async def test_a_stalled_client_is_closed_even_when_no_more_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "CHECK_EVERY", 500)
    monkeypatch.setattr(outbox, "WINDOW", 1_000)
    monkeypatch.setattr(outbox, "ECHO_WITHIN_S", 0.1)
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    await soon(happen, topic, *range(1, 21))
    message = {"type": ""}
    while message["type"] != "websocket.close":
        message = await client.receive_output(timeout=20)
    assert message["code"] == 4008  # type: ignore[comparison-overlap]
    await client.disconnect()


async def test_a_send_that_blocks_fills_the_queue_and_closes() -> None:
    """As under uvicorn, whose send waits for a client that does not read."""
    stuck = asyncio.Event()
    said: list[Any] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await stuck.wait()
        said.append(message)

    closed: list[bool] = []
    box = outbox.Outbox(send, on_close=lambda: closed.append(True))
    text = "x" * 1000
    box.put(text, on_the_wire(text))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(outbox.QUEUE_BYTES // 1000 + 1):
        box.put(text, on_the_wire(text))
    await asyncio.sleep(0.01)
    assert said == [{"type": "websocket.close", "code": 4008}]
    assert closed == [True]
    box.stop()


# --- The log is kept for its days ----------------------------------------------------------------


def test_prune_keeps_the_days_and_says_where_the_log_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "BATCH", 2)
    old = NOW - timedelta(days=settings.EVENT_KEEP_DAYS, seconds=1)
    for now, numbers in ((old, range(1, 6)), (NOW, range(6, 8))):
        with unit_of_work(now=now):
            for n in numbers:
                events.record(SomethingHappened(n=n), topics=["cell:1"])
    with unit_of_work(now=NOW):
        events.record(SomethingHappened(n=1), topics=["cell:2"])
    services.prune(NOW)
    services.prune(NOW)
    assert list(Event.objects.order_by("topic__name", "seq").values_list("topic__name", "seq")) == [
        ("cell:1", 6),
        ("cell:1", 7),
        ("cell:2", 1),
    ]
    assert queries.mark("cell:1") == (7, 6)
    assert queries.mark("cell:2") == (1, 1)
    services.prune(NOW + timedelta(days=settings.EVENT_KEEP_DAYS, seconds=1))
    assert not Event.objects.exists()
    assert queries.mark("cell:1") == (7, 8)
