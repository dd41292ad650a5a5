"""The one consumer, at `/ws/`: the protocol of docs/realtime.md.

A socket without a valid session or token is refused with 403 before it is accepted, as is a
session cookie sent from a foreign origin; a token needs no origin. A token in the address is
not looked at: addresses end up in logs.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import parse_cookie
from django.utils.http import is_same_domain

from realtime import metrics, queries, registry
from realtime.frames import Frame
from realtime.hub import PAGE, Subscription, in_thread, the_hub
from realtime.outbox import SIGNED_OUT, TRY_AGAIN, Outbox

logger = logging.getLogger(__name__)

MAX_FRAME = 4096
MAX_SUBSCRIPTIONS = 64
# A role may also end by its date, and a session by its age, without anybody saying so.
RECHECK_EVERY_S = 600.0

MemberOfToken = Callable[[str], Any]
Who = Callable[[], Any]


class BadFrame(ValueError):
    """The client's frame can't be understood; the sentence says why."""


class SocketConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket: authentication, the client's frames, and its subscriptions."""

    # No channel of its own: the hub has one for all sockets.
    channel_layer_alias = "no layer per socket"

    def __init__(self, *, member_of_token: MemberOfToken) -> None:
        super().__init__()
        self.member_of_token = member_of_token
        self.who: Who | None = None
        self.member_id = 0
        self.outbox: Outbox | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.rechecks: set[asyncio.Task[None]] = set()
        self.sweep: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Reached even when the server kills the application.
            self._leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Skip Channels' hop to a thread for every message: we hold no connection here."""
        handler = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }.get(message["type"])
        if handler is not None:
            await handler(message)

    async def connect(self) -> None:
        """Accept members only."""
        self.who = who_is(self.scope, self.member_of_token)
        member = await in_thread(self.who) if self.who is not None else None
        if member is None:
            await self.close()
            return
        self.member_id = member.pk
        self.hub = the_hub()
        await self.accept()
        # Made after the handshake, which settles how frames may be sent.
        self.outbox = Outbox(self.base_send, on_close=self._unsubscribe_all)
        self.hub.on_recheck.setdefault(self.member_id, set()).add(self._recheck_soon)
        metrics.sockets_open.inc()
        self._sweep_later()

    async def disconnect(self, code: int) -> None:
        """The client has gone."""
        self._leave()

    def _leave(self) -> None:
        if self.outbox is None:
            return
        self._unsubscribe_all()
        self.outbox.stop()
        self.outbox = None
        metrics.sockets_open.dec()
        if self.sweep is not None:
            self.sweep.cancel()
        for task in self.rechecks:
            task.cancel()
        asks = self.hub.on_recheck.get(self.member_id)
        if asks is not None:
            asks.discard(self._recheck_soon)
            if not asks:
                del self.hub.on_recheck[self.member_id]

    # --- Frames of the client ----------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame; a bad one is answered and changes nothing."""
        outbox = self.outbox
        if outbox is None or outbox.closed_with is not None:
            return
        topic = None
        try:
            frame = read_frame(text_data)
            do = frame["do"]
            if do == "ping":
                outbox.put_message({"do": "pong"})
            elif do == "check":
                n = frame.get("n")
                if type(n) is not int or not outbox.echo(n):
                    raise BadFrame("No such check was sent.")
            elif do in {"subscribe", "unsubscribe"}:
                name = frame.get("topic")
                parsed = registry.parse(name)
                # Sent back only if plain: a lone surrogate can't be encoded.
                plain = isinstance(name, str) and len(name) <= 80 and name.isascii()
                topic = name if plain else None
                if parsed is None or topic is None:
                    raise BadFrame("There is no such topic.")
                if do == "unsubscribe":
                    self._unsubscribe(topic)
                else:
                    await self._subscribe(topic, parsed, read_since(frame.get("since")))
            else:
                raise BadFrame("Unknown `do`.")
        except BadFrame as error:
            answer = {"do": "error", "code": "bad_request", "detail": str(error)}
            outbox.put_message(answer if topic is None else {**answer, "topic": topic})

    async def _subscribe(
        self, topic: str, parsed: tuple[registry.Kind, int], since: int | None
    ) -> None:
        """Check permission, answer with the head, and go on from `since`."""
        outbox = self.outbox
        assert outbox is not None
        if topic not in self.subscriptions and len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise BadFrame(f"At most {MAX_SUBSCRIPTIONS} topics per socket.")
        self._unsubscribe(topic)
        # Entered before the question is asked: a role withdrawn meanwhile finds it here.
        subscription = self.hub.open(topic, outbox)
        self.subscriptions[topic] = subscription
        try:
            await self.hub.ready()
            allowed, mark, frames = await in_thread(self._look, parsed, topic, since)
        except Exception as error:  # noqa: BLE001 - the client comes back and tries again
            logger.warning("subscribing to %s: %s: %s", topic, type(error).__name__, error)
            outbox.close(TRY_AGAIN)
            return
        if subscription.closed:
            return
        if not allowed:
            self._refuse(topic)
            return
        pos = mark.head if since is None else since
        holds = pos == mark.head or (bool(frames) and frames[0].seq == pos + 1)
        if pos + 1 < mark.kept_from or pos > mark.head or not holds:
            outbox.put_message({"do": "reset", "topic": topic, "seq": mark.head})
            self.hub.start(subscription, head=mark.head, pos=mark.head)
            return
        outbox.put_message({"do": "subscribed", "topic": topic, "seq": mark.head})
        self.hub.start(subscription, head=mark.head, pos=pos, frames=frames)

    def _look(
        self, parsed: tuple[registry.Kind, int], topic: str, since: int | None
    ) -> tuple[bool, queries.Mark, list[Frame]]:
        """Ask once, in a thread: may this member, where does the topic stand, what came after."""
        if not self._may(parsed):
            return False, queries.Mark(0, 1), []
        mark = queries.mark(topic)
        frames: list[Frame] = []
        if since is not None and mark.kept_from - 1 <= since < mark.head:
            frames = queries.frames_after({topic: since}, limit=PAGE)
        return True, mark, frames

    def _may(self, parsed: tuple[registry.Kind, int]) -> bool:
        """Ask with a member read afresh, so that no role cached on it outlives a change."""
        assert self.who is not None
        member = self.who()
        kind, number = parsed
        return member is not None and kind.may_subscribe(member, number)

    def _refuse(self, topic: str) -> None:
        self._unsubscribe(topic)
        if self.outbox is not None:
            self.outbox.put_message({"do": "error", "code": "not_allowed", "topic": topic})

    def _unsubscribe(self, topic: str) -> None:
        subscription = self.subscriptions.pop(topic, None)
        if subscription is not None:
            self.hub.close(subscription)

    def _unsubscribe_all(self) -> None:
        for topic in list(self.subscriptions):
            self._unsubscribe(topic)

    # --- Roles and sessions end ------------------------------------------------------------------

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self.sweep = loop.call_later(RECHECK_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        self._recheck_soon()
        self._sweep_later()

    def _recheck_soon(self) -> None:
        task = asyncio.create_task(self._recheck())
        self.rechecks.add(task)
        task.add_done_callback(self.rechecks.discard)

    async def _recheck(self) -> None:
        """Ask again for every topic; drop what is no longer allowed."""
        topics = list(self.subscriptions)
        try:
            still = await in_thread(self._still_allowed, topics)
        except Exception as error:  # noqa: BLE001 - without an answer nothing more is shown
            logger.warning("rechecking a socket: %s: %s", type(error).__name__, error)
            if self.outbox is not None:
                self.outbox.close(TRY_AGAIN)
            return
        if self.outbox is None:
            return
        if still is None:
            self.outbox.close(SIGNED_OUT)
            return
        for topic in topics:
            if topic not in still and topic in self.subscriptions:
                self._refuse(topic)

    def _still_allowed(self, topics: list[str]) -> set[str] | None:
        """Return which topics this member may watch; None when nobody is signed in any more."""
        assert self.who is not None
        member = self.who()
        if member is None or member.pk != self.member_id:
            return None
        parsed = {topic: registry.parse(topic) for topic in topics}
        return {
            topic
            for topic, found in parsed.items()
            if found and found[0].may_subscribe(member, found[1])
        }


# --- Reading what the client sent ----------------------------------------------------------------


def read_frame(text: str | None) -> dict[str, Any]:
    """Parse a text frame into an object with a string `do`; raise BadFrame otherwise."""
    if text is None:
        raise BadFrame("Send text frames.")
    if len(text) > MAX_FRAME:
        raise BadFrame(f"A frame has at most {MAX_FRAME} characters.")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame("This is not JSON.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("do"), str):
        raise BadFrame('Send an object with "do".')
    return frame


def read_since(since: object) -> int | None:
    """Return `since` as null or an integer from 0; raise BadFrame otherwise."""
    if since is None:
        return None
    if type(since) is not int or since < 0:
        raise BadFrame("`since` is null or the last seq you hold.")
    return since


def who_is(scope: dict[str, Any], member_of_token: MemberOfToken) -> Who | None:
    """Return a question (sync, reads the database) whose answer is the member or None.

    It is asked again at each permission check, so that it stops answering when the session or
    the token ends. None: no credentials, or a session from a foreign origin.
    """
    headers = {name.lower(): value.decode("latin1") for name, value in scope["headers"]}
    given = headers.get(b"authorization")
    if given is not None:
        words = given.split()
        if len(words) != 2 or words[0].lower() != "token" or not words[1].isascii():
            return None
        token = words[1]
        return lambda: member_of_token(token)
    key = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    if not key or not origin_allowed(scope):
        return None
    return lambda: member_of_session(key)


def member_of_session(key: str) -> Any:
    """Return the member who is signed in with this session key, or None."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    member = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]
    return member if member.is_authenticated else None


def origin_allowed(scope: dict[str, Any]) -> bool:
    """Say whether a browser's page from this origin may use the session here.

    As Django asks before a POST: the origin is this very scheme, host and port (the scheme by
    SECURE_PROXY_SSL_HEADER behind a proxy), or one of CSRF_TRUSTED_ORIGINS. Browsers always send
    an origin: without one it is refused.
    """
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    request = ASGIRequest({**scope, "method": "GET", "scheme": scheme}, BytesIO())
    origin = request.headers.get("Origin", "")
    if not origin:
        return False
    with suppress(DisallowedHost):
        if origin == f"{request.scheme}://{request.get_host()}":
            return True
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        asked = urlsplit(origin)
    except ValueError:
        return False
    trusted = (urlsplit(known) for known in settings.CSRF_TRUSTED_ORIGINS if "*" in known)
    return any(
        asked.scheme == known.scheme and is_same_domain(asked.netloc, known.netloc.lstrip("*"))
        for known in trusted
    )
