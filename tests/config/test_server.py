"""What `manage.py serve` lets a client send."""

import socket
import struct
from collections.abc import Iterator

import httpx
import pytest
from websockets.frames import Opcode

from tests.realtime.helpers import a_member
from tests.servers import Running, server

pytestmark = pytest.mark.django_db(transaction=True)
MB = 2**20


@pytest.fixture
def running() -> Iterator[Running]:
    with server() as started:
        yield started


def opened(running: Running, head: str) -> socket.socket:
    """Connect and send a request's head."""
    stream = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    stream.sendall(head.replace("\n", "\r\n").encode())
    return stream


def pour(stream: socket.socket, whole: int) -> tuple[int, bytes]:
    """Send `whole` bytes unless cut off; return how many went out and what was answered."""
    sent, said = 0, b""
    try:
        while sent < whole:
            sent += stream.send(b"x" * min(65536, whole - sent))
        stream.settimeout(5)
        said = stream.recv(4096)
    except (ConnectionError, TimeoutError):
        pass
    return sent, said


def test_too_much_is_cut_off_while_it_arrives(running: Running) -> None:
    _, token = a_member()
    # A socket's frame of 100 MB.
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    with opened(
        running,
        f"GET /ws/ HTTP/1.1\nHost: 127.0.0.1\nUpgrade: websocket\nConnection: Upgrade\n"
        f"Sec-WebSocket-Key: {key}\nSec-WebSocket-Version: 13\nAuthorization: Token {token}\n\n",
    ) as stream:
        assert b"101" in stream.recv(4096).splitlines()[0]
        stream.sendall(struct.pack("!BBQ", 0x80 | Opcode.TEXT, 0x80 | 127, 100 * MB) + b"mask")
        sent, _ = pour(stream, 100 * MB)
    assert sent < 40 * MB
    # A body that says how large it is, and one that does not.
    head = f"POST /api/v1/sessions HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Token {token}\n"
    with opened(running, f"{head}Content-Length: {100 * MB}\n\n") as stream:
        assert b"413" in stream.recv(4096)
        sent, _ = pour(stream, 100 * MB)
    assert sent < 40 * MB
    with opened(running, f"{head}Transfer-Encoding: chunked\n\n{100 * MB:x}\n") as stream:
        sent, _ = pour(stream, 100 * MB)
    assert sent < 40 * MB
    # The next client is served.
    with httpx.Client(base_url=running.http, headers={"Authorization": f"Token {token}"}) as http:
        assert http.get("/api/v1/me").status_code == 200
        # A form that can't be read is answered by us, in the form of every error.
        headers = {"Content-Type": "multipart/form-data", "Idempotency-Key": "no boundary"}
        answer = http.post("/api/v1/transfers", content=b"abc", headers=headers)
        assert answer.status_code in {400, 415}, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
