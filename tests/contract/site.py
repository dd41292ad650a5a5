"""The real thing, as strangers meet it: a server process, HTTP, sockets, and the demo's ids."""

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
_CODE = re.compile(r"SMS to (\+\d+): \D*(\d{6})")


class Site:
    """One database and the server on it; commands run beside it as other processes."""

    def __init__(self, folder: Path, *, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.output = folder / "server.log"
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("LINLI_")},
            "LINLI_VAR_DIR": str(folder),
            "LINLI_SECRET_KEY": secrets.token_urlsafe(50),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PYTHONUNBUFFERED": "1",
        }
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=120,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        )

    def manage(self, *words: Any, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a management command on the same database, as another process."""
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def python(self, code: str) -> str:
        """Run code in Django beside the server, for what a test can't wait for (tomorrow)."""
        return self.manage("shell", "-v", "0", "-c", code).stdout

    def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.http.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def kill(self) -> None:
        """Kill the server where it stands."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop the server as an operator does."""
        self.http.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def said(self) -> str:
        """Return what the server printed so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def sms_code(self, phone: str) -> str:
        """Return the newest code that was sent to this phone."""
        found = [code for to, code in _CODE.findall(self.said()) if to == phone]
        assert found, f"no SMS to {phone}"
        return found[-1]

    def socket(self, token: str | None, **headers: str) -> "Socket":
        """Open a socket with a token."""
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Token {token}"
        return Socket(
            connect(
                f"ws://127.0.0.1:{self.port}/ws/",
                additional_headers=sent,
                max_size=None,
                open_timeout=60,
            )
        )


class Person:
    """A member of the demo, who calls the API with a token."""

    def __init__(self, site: Site, entry: dict[str, Any]) -> None:
        self.site = site
        self.id: int = entry["id"]
        self.phone: str = entry["phone"]
        self.token: str = entry["token"]

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any
    ) -> httpx.Response:
        """Call the API; `key` "new" makes a new Idempotency-Key."""
        headers = {"Authorization": f"Token {self.token}", **options.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = secrets.token_hex(12) if key == "new" else key
        if body is not None:
            options["json"] = body
        return self.site.http.request(method, f"/api/v1/{path}", headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """GET and return the answer, which must be a 200."""
        answer = self.call("GET", path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        return self.call("POST", path, body, key=key)

    def account(self) -> dict[str, Any]:
        """Return {id, balance, held, available} of this member."""
        found: dict[str, Any] = self.get("me")["account"]
        return found


class Socket:
    """A socket that answers checks and keeps what it was told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def send(self, **frame: Any) -> None:
        self.connection.send(_dumps(frame))

    def send_raw(self, data: str | bytes) -> None:
        self.connection.send(data)

    def take(self, timeout: float = 20) -> dict[str, Any]:
        """Return the next frame that is no check."""
        while True:
            frame: dict[str, Any] = httpx.Response(200, text=self.connection.recv(timeout)).json()
            if frame.get("do") != "check":
                return frame
            self.send(**frame)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Take frames up to and with the first wanted one."""
        frames = []
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            frames.append(self.take())
            if wanted(frames[-1]):
                return frames
        raise AssertionError(f"not told in time; told: {frames[-5:]}")

    def nothing(self, for_s: float = 1.5) -> None:
        """Be sure that nothing comes."""
        try:
            frame = self.take(for_s)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected: {frame}")

    def subscribe(self, topic: str, since: int | None = None) -> int:
        """Subscribe and return the head."""
        self.send(do="subscribe", topic=topic, since=since)
        answer = self.take()
        assert answer["do"] == "subscribed", answer
        assert answer["topic"] == topic
        head: int = answer["seq"]
        return head


def _dumps(frame: dict[str, Any]) -> str:
    import json

    return json.dumps(frame)


def at_once(works: Iterable[Callable[[], T]]) -> list[T]:
    """Run all works in threads that start at the same moment; return their results in order."""
    jobs = list(works)
    gate = threading.Barrier(len(jobs))

    def run(work: Callable[[], T]) -> T:
        gate.wait()
        return work()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def assert_problem(
    answer: httpx.Response, status: int, code: str | None = None, *, field: str | None = None
) -> dict[str, Any]:
    """Check an RFC 9457 document with all members; return it."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:600]}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    for name in ("type", "title", "detail", "code"):
        assert isinstance(document[name], str), document
        assert document[name], document
    assert document["status"] == status
    if code is not None:
        assert document["code"] == code, document
    if status == 400:
        assert isinstance(document["errors"], dict), document
        assert document["errors"], document
    if field is not None:
        assert field in document["errors"], document
    return document
