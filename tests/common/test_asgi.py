"""HTTP under ASGI: whole requests in a pool of threads."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from common.asgi import THREADS, ThreadPoolHandler
from common.unit_of_work import request_id
from config.asgi import django_application

_together = threading.Barrier(2)


def whoami(request: HttpRequest) -> HttpResponse:
    """Say in which thread and under which request id this runs, while another does the same."""
    _together.wait(5)
    return HttpResponse(f"{threading.current_thread().name} {request_id.get()}")


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="text/plain")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> Any:
        yield b"one "
        yield b"two"

    return StreamingHttpResponse(parts())


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("meant")


_waiting = threading.Semaphore(0)
_released = threading.Event()


def wait(request: HttpRequest) -> HttpResponse:
    """Stand for a view that waits for a locked database."""
    _waiting.release()
    _released.wait(20)
    return HttpResponse("waited")


urlpatterns = [path("api/whoami", whoami), path("wait", wait), path("echo", echo),
               path("stream", stream), path("api/crash", crash)]  # fmt: skip


async def ask(
    handler: ThreadPoolHandler, where: str, body: bytes = b""
) -> tuple[int, bytes, dict[bytes, bytes]]:
    scope = {"type": "http", "method": "POST" if body else "GET", "path": where, "headers": [],
             "query_string": b"", "server": ("127.0.0.1", 80)}  # fmt: skip
    said = ApplicationCommunicator(handler, scope)  # type: ignore[no-untyped-call]
    for at in range(0, len(body), 10):
        more = at + 10 < len(body)
        await said.send_input(
            {"type": "http.request", "body": body[at : at + 10], "more_body": more}
        )
    if not body:
        await said.send_input({"type": "http.request"})
    start = await said.receive_output(10)
    content, more = b"", True
    while more:
        part = await said.receive_output(10)
        content, more = content + part.get("body", b""), part.get("more_body", False)
    await said.wait()
    return start["status"], content, {k.lower(): v for k, v in start["headers"]}


@pytest.fixture
def handler(settings: Any) -> ThreadPoolHandler:
    settings.ROOT_URLCONF = __name__
    return ThreadPoolHandler()


async def test_requests_run_side_by_side_each_in_its_own_context(
    handler: ThreadPoolHandler,
) -> None:
    # Both wait for each other inside the view: one after the other they would never meet.
    answers = await asyncio.gather(ask(handler, "/api/whoami"), ask(handler, "/api/whoami"))
    seen = {content.decode() for _, content, _ in answers}
    names = {(line.split()[0], line.split()[1]) for line in seen}
    assert len({thread for thread, _ in names}) == len({rid for _, rid in names}) == 2
    assert all(thread.startswith("linli-web") for thread, _ in names)
    for status, content, headers in answers:
        assert status == 200
        assert headers[b"x-request-id"] == content.split()[1]
    assert request_id.get() == ""


async def test_a_body_in_pieces_and_a_stream_arrive_whole(handler: ThreadPoolHandler) -> None:
    assert (await ask(handler, "/echo", b"0123456789" * 3 + b"x"))[1] == b"0123456789" * 3 + b"x"
    assert (await ask(handler, "/stream"))[1] == b"one two"


@pytest.mark.expects_errors
async def test_a_crash_is_an_answer_and_the_next_request_works(handler: ThreadPoolHandler) -> None:
    assert (await ask(handler, "/api/crash"))[0] == 500
    assert (await ask(handler, "/stream"))[0] == 200


def test_the_pool_fits_the_database_pool() -> None:
    most = connections["default"].settings_dict["OPTIONS"].get("pool", {}).get("max_size", THREADS)
    assert most >= THREADS


async def test_a_path_set_apart_answers_while_all_threads_wait(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    handler = ThreadPoolHandler(apart={"/echo": 1})
    _released.clear()
    waiting = [asyncio.create_task(ask(handler, "/wait")) for _ in range(THREADS + 4)]
    try:
        for _ in range(THREADS):
            assert await asyncio.to_thread(_waiting.acquire, timeout=10)
        assert (await ask(handler, "/echo", b"alive"))[1] == b"alive"
        assert not any(task.done() for task in waiting)
    finally:
        _released.set()
        answers = await asyncio.gather(*waiting)
    assert {content for _, content, _ in answers} == {b"waited"}


def test_what_watches_over_the_process_is_set_apart() -> None:
    assert {"/healthz", "/readyz", "/metrics"} <= set(django_application._apart)
