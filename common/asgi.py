"""Serve HTTP with one hop to a thread per request.

Django's own ASGI handler runs each piece of synchronous middleware, each signal and the view in
a hop of its own between the event loop and a thread that it starts for every request; with a
dozen middlewares that cost more than the work itself. All of ours is synchronous, so the whole
request runs in one thread of a small pool, as under WSGI.
"""

import asyncio
import contextvars
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver, set_script_prefix

# More than wait for a database at once on a machine this is meant for; further requests queue.
THREADS = 16


class InFlight:
    """How many requests this process is answering: what can wait makes room for them."""

    count = 0


class ThreadPoolHandler(ASGIHandler):
    """Django's ASGI handler for synchronous middleware and views only."""

    def __init__(self, *, apart: Mapping[str, int] | None = None) -> None:
        """`apart`: paths with threads of their own, which answer while all others wait."""
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        # Loaded now, for seconds, rather than while the first visitor waits.
        get_resolver().url_patterns  # noqa: B018
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="linli-web")
        self._apart = {
            path: ThreadPoolExecutor(threads, thread_name_prefix=f"linli-web-{path.strip('/')}")
            for path, threads in (apart or {}).items()
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; a client that has gone meanwhile does not stop its work."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        pool = self._apart.get(scope["path"], self._pool)
        # Counted in the event loop alone, so without a lock.
        InFlight.count += 1
        try:
            response = await loop.run_in_executor(pool, context.run, self._respond, scope, body)
        finally:
            InFlight.count -= 1
        try:
            await self.send_response(response, send)
        finally:
            if response.streaming:
                await sync_to_async(response.close)()

    def _respond(self, scope: Any, body: Any) -> HttpResponseBase:
        """Do all of the request's work in this thread, giving the connection back included."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, response = self.create_request(scope, body)
        if request is None:
            body.close()
        else:
            response = self.get_response(request)
        assert response is not None
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if response.streaming:
            # What streams may read the database in another thread, which gives back its own.
            close_old_connections()
        else:
            # Its body is in memory; closing closes the request and fires request_finished.
            response.close()
        return response
