"""The contract's frames, one by one."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from common.unit_of_work import unit_of_work
from grids.people.models import ApiToken, Member
from realtime import events, registry
from realtime.models import Event, Topic
from tests.realtime.helpers import (
    SomethingHappened,
    a_member,
    bearer,
    happen,
    signed_in,
    socket,
    soon,
)

pytestmark = pytest.mark.django_db(transaction=True)


async def test_subscribe_from_now_then_hear_what_happens() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await soon(happen, topic, 1, 2)
    answer = await client.ask(do="subscribe", topic=topic, since=None)
    assert answer == {"do": "subscribed", "topic": topic, "seq": 2}
    await soon(happen, topic, 3)
    frame = await client.hear()
    at = frame.pop("at")
    assert frame == {
        "topic": topic,
        "seq": 3,
        "type": "account.changed",
        "data": {"n": 3, "text": ""},
    }
    assert at.endswith("+00:00")
    await client.disconnect()


async def test_since_replays_what_came_after() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await soon(happen, topic, 1, 2, 3, 4)
    answer = await client.ask(do="subscribe", topic=topic, since=1)
    assert answer == {"do": "subscribed", "topic": topic, "seq": 4}
    assert await client.events(3) == [(2, 2), (3, 3), (4, 4)]
    await client.disconnect()


async def test_a_long_replay_comes_in_pages_and_goes_on_live() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await soon(happen, topic, *range(1, 1001))
    await client.say(do="subscribe", topic=topic, since=0)
    await soon(happen, topic, 1001)
    assert (await client.hear())["seq"] in {1000, 1001}
    heard: list[tuple[int, int]] = []
    while len(heard) < 1001:
        frame = await client.hear()
        if frame.get("do") == "check":
            await client.say(**frame)
        else:
            heard.append((frame["seq"], frame["data"]["n"]))
    assert heard == [(n, n) for n in range(1, 1002)]
    await client.disconnect()


async def test_too_old_or_from_the_future_is_reset() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await soon(happen, topic, 1, 2, 3, 4)

    def prune() -> None:
        Event.objects.filter(seq__lte=2).delete()
        Topic.objects.update(kept_from=3)

    await soon(prune)
    reset = {"do": "reset", "topic": topic, "seq": 4}
    for since in (0, 1, 5, 10**30):
        assert await client.ask(do="subscribe", topic=topic, since=since) == reset
    await soon(happen, topic, 5)
    assert await client.events(1) == [(5, 5)]
    answer = await client.ask(do="subscribe", topic=topic, since=2)
    assert answer["do"] == "subscribed"
    assert await client.events(3) == [(3, 3), (4, 4), (5, 5)]
    await client.disconnect()


async def test_a_log_whose_rows_are_gone_is_reset_too() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await soon(happen, topic, 1, 2, 3)
    await soon(Event.objects.filter(seq=2).delete)
    answer = await client.ask(do="subscribe", topic=topic, since=1)
    assert answer == {"do": "reset", "topic": topic, "seq": 3}
    await client.disconnect()


async def test_unsubscribe_and_ping() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    await client.say(do="unsubscribe", topic=topic)
    assert await client.ask(do="ping") == {"do": "pong"}
    await soon(happen, topic, 1)
    await asyncio.sleep(0)
    assert await client.ask(do="ping") == {"do": "pong"}
    await client.disconnect()


async def test_others_topics_are_not_allowed() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk + 1}"
    answer = await client.ask(do="subscribe", topic=topic, since=None)
    assert answer == {"do": "error", "code": "not_allowed", "topic": topic}
    assert await client.ask(do="ping") == {"do": "pong"}
    await client.disconnect()


BAD_FRAMES = [
    "",
    "{",
    "[]",
    "null",
    '"subscribe"',
    "[" * 3000,
    '{"do":"dance"}',
    '{"do":["subscribe"]}',
    '{"do":null}',
    "{}",
    '{"do":"subscribe"}',
    '{"do":"subscribe","topic":7}',
    '{"do":"subscribe","topic":"weather:1","since":null}',
    '{"do":"subscribe","topic":"control:0","since":0}',
    '{"do":"subscribe","topic":"member:0"}',
    '{"do":"subscribe","topic":"member:-1"}',
    '{"do":"subscribe","topic":"member:9999999999999999999999"}',
    '{"do":"subscribe","topic":"member:1\\n"}',
    '{"do":"subscribe","topic":"member:\\ud800"}',
    '{"do":"subscribe","topic":"member:1","since":"3"}',
    '{"do":"subscribe","topic":"member:1","since":-1}',
    '{"do":"subscribe","topic":"member:1","since":1.5}',
    '{"do":"subscribe","topic":"member:1","since":true}',
    '{"do":"subscribe","topic":"member:1","since":NaN}',
    '{"do":"unsubscribe","topic":null}',
    '{"do":"check"}',
    '{"do":"check","n":1}',
    '{"do":"check","n":"1"}',
    '{"do":"ping","x":"' + "x" * 5000 + '"}',
]


async def test_bad_frames_are_answered_and_the_socket_stays_open() -> None:
    _, client = await signed_in()
    for text in BAD_FRAMES:
        await client.send_input({"type": "websocket.receive", "text": text})
        answer = await client.hear()
        assert (answer["do"], answer["code"]) == ("error", "bad_request"), text
        assert await client.ask(do="ping") == {"do": "pong"}
    await client.disconnect()


async def test_a_binary_frame_is_bad() -> None:
    _, client = await signed_in()
    await client.send_to(bytes_data=b'{"do":"ping"}')
    assert (await client.hear())["code"] == "bad_request"
    assert await client.ask(do="ping") == {"do": "pong"}
    await client.disconnect()


async def test_too_many_subscriptions_are_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr("realtime.consumer.MAX_SUBSCRIPTIONS", 2)
    monkeypatch.setitem(
        registry.kinds, "cell", registry.Kind("cell", may_subscribe=lambda member, number: True)
    )
    _, client = await signed_in()
    for number in (1, 2):
        answer = await client.ask(do="subscribe", topic=f"cell:{number}", since=None)
        assert answer["do"] == "subscribed"
    answer = await client.ask(do="subscribe", topic="cell:3", since=None)
    assert (answer["code"], answer["topic"]) == ("bad_request", "cell:3")
    assert (await client.ask(do="subscribe", topic="cell:2", since=0))["do"] == "subscribed"
    await client.disconnect()


async def test_what_is_rolled_back_is_never_heard() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)

    def fail() -> None:
        with contextlib.suppress(ZeroDivisionError), unit_of_work():
            events.record(SomethingHappened(n=13), topics=[topic])
            raise ZeroDivisionError

    await soon(fail)
    await soon(happen, topic, 1)
    assert await client.events(1) == [(1, 1)]
    await client.disconnect()


# --- Who may open a socket ------------------------------------------------------------------------


async def test_strangers_are_refused_before_they_are_accepted() -> None:
    strangers: list[list[tuple[bytes, bytes]]] = [
        [],
        [(b"authorization", b"Token nonsense")],
        [(b"authorization", b"Bearer nonsense")],
        [(b"authorization", b"Token")],
        [(b"authorization", b"Token \xff\xfe")],
        [(b"cookie", b"sessionid=nonsense"), (b"origin", b"http://localhost")],
        [(b"cookie", b"sessionid=")],
    ]
    for headers in strangers:
        accepted, _ = await socket(headers).connect(timeout=20)
        assert not accepted, headers


async def test_a_token_in_the_address_is_not_looked_at() -> None:
    _, token = await soon(a_member)
    accepted, _ = await socket(path=f"/ws/?token={token}").connect(timeout=20)
    assert not accepted


async def test_there_is_no_socket_elsewhere() -> None:
    _, token = await soon(a_member)
    accepted, _ = await socket(bearer(token), path="/elsewhere/").connect(timeout=20)
    assert not accepted


def a_session() -> tuple[Member, str]:
    member, _ = a_member()
    store = SessionStore()
    store[SESSION_KEY] = str(member.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = member.get_session_auth_hash()
    store.create()
    assert store.session_key
    return member, store.session_key


@pytest.mark.parametrize(
    ("origin", "proto", "welcome"),
    [
        ("http://localhost:8000", None, True),
        ("http://localhost:8001", None, False),
        ("http://localhost", None, False),
        ("https://localhost:8000", None, False),
        ("https://localhost:8000", "https", True),
        ("http://localhost:8000", "https", False),
        ("http://[::1]:8000", None, False),
        ("https://evil.example", None, False),
        ("https://localhost.evil.example", None, False),
        ("https://app.example", None, True),
        ("https://a.town.example", None, True),
        ("http://a.town.example", None, False),
        ("https://eviltown.example", None, False),
        ("null", None, False),
        ("http://[", None, False),
        (None, None, False),
    ],
)
async def test_a_session_needs_this_very_origin(
    settings: Any, origin: str | None, proto: str | None, welcome: bool
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example", "https://*.town.example"]
    _, key = await soon(a_session)
    headers = {"cookie": f"sessionid={key}", "host": "localhost:8000"}
    headers |= {"origin": origin} if origin else {}
    headers |= {"x-forwarded-proto": proto} if proto else {}
    client = socket([(name.encode(), text.encode()) for name, text in headers.items()])
    accepted, _ = await client.connect(timeout=20)
    assert accepted is welcome
    await client.disconnect()


async def test_a_host_that_is_not_ours_is_no_origin_of_ours() -> None:
    _, key = await soon(a_session)
    evil = [(b"host", b"evil.example"), (b"origin", b"http://evil.example")]
    client = socket([*evil, (b"cookie", f"sessionid={key}".encode())])
    assert not (await client.connect(timeout=20))[0]
    await client.disconnect()


async def test_a_token_needs_no_origin() -> None:
    _, token = await soon(a_member)
    client = socket([*bearer(token), (b"origin", b"https://evil.example")])
    assert (await client.connect(timeout=20))[0]
    await client.disconnect()


# --- Roles and sessions end -----------------------------------------------------------------------


async def test_a_withdrawn_role_unsubscribes_at_once(monkeypatch: Any) -> None:
    allowed = {1, 2}
    monkeypatch.setitem(
        registry.kinds, "cell", registry.Kind("cell", lambda member, number: number in allowed)
    )
    member, client = await signed_in()
    for number in (1, 2):
        await client.ask(do="subscribe", topic=f"cell:{number}", since=None)

    def withdraw() -> None:
        with unit_of_work():
            allowed.discard(1)
            registry.recheck(member.pk)

    await soon(withdraw)
    answer = await client.hear()
    assert answer == {"do": "error", "code": "not_allowed", "topic": "cell:1"}
    await soon(happen, "cell:1", 1)
    await soon(happen, "cell:2", 2)
    assert (await client.hear())["topic"] == "cell:2"
    await client.disconnect()


async def test_recheck_leaves_other_members_alone(monkeypatch: Any) -> None:
    asked: list[int] = []

    def may(member: Member, number: int) -> bool:
        asked.append(member.pk)
        return True

    monkeypatch.setitem(registry.kinds, "cell", registry.Kind("cell", may))
    one, first = await signed_in()
    two, second = await signed_in()
    for client in (first, second):
        await client.ask(do="subscribe", topic="cell:1", since=None)

    def withdraw() -> None:
        with unit_of_work():
            registry.recheck(one.pk)

    await soon(withdraw)
    for _ in range(100):
        if asked.count(one.pk) == 2:
            break
        await asyncio.sleep(0.02)
    assert (asked.count(one.pk), asked.count(two.pk)) == (2, 1)
    await first.disconnect()
    await second.disconnect()


async def test_a_revoked_token_closes_the_socket() -> None:
    member, client = await signed_in()
    await client.ask(do="subscribe", topic=f"member:{member.pk}", since=None)

    def revoke() -> None:
        with unit_of_work():
            ApiToken.objects.filter(member=member).delete()
            registry.recheck(member.pk)

    await soon(revoke)
    closed = await client.receive_output(timeout=20)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
    await client.disconnect()


async def test_a_role_withdrawn_while_subscribing_is_noticed(monkeypatch: Any) -> None:
    """The answer "you may" is read, then the role goes, then the subscription stands."""
    _, client = await signed_in()
    allowed = {1}

    def may(member: Member, number: int) -> bool:
        answer = number in allowed
        if answer:
            allowed.clear()
            with unit_of_work():
                registry.recheck(member.pk)
        return answer

    monkeypatch.setitem(registry.kinds, "cell", registry.Kind("cell", may))
    await client.say(do="subscribe", topic="cell:1", since=None)
    heard = [await client.hear()]
    if heard[0]["do"] == "subscribed":
        heard.append(await client.hear())
    assert heard[-1] == {"do": "error", "code": "not_allowed", "topic": "cell:1"}
    await client.disconnect()


async def test_frames_are_compact_json_with_chinese_as_it_is() -> None:
    member, client = await signed_in()
    topic = f"member:{member.pk}"
    await client.ask(do="subscribe", topic=topic, since=None)
    await soon(lambda: happen(topic, 1, text="邻里"))
    text = await client.receive_from(timeout=20)
    assert "邻里" in text
    assert ", " not in text
    assert json.loads(text)["seq"] == 1
    await client.disconnect()
