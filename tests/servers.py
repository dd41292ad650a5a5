"""Real server processes on the test database, for end-to-end tests."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection


def at_database(url: str, name: str) -> str:
    """Return `url` with another database's name; its options (`?sslmode=…`) stay."""
    server, mark, options = url.partition("?")
    return f"{server.rpartition('/')[0]}/{name}{mark}{options}"


def environment() -> dict[str, str]:
    """The environment in which a child process uses this test's database and layer."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = at_database(settings.DATABASE_URL, name)
    # The layer's group names depend on the key and the database, as sites may share a Redis.
    return {
        **os.environ,
        "DATABASE_URL": url,
        "LINLI_SECRET_KEY": settings.SECRET_KEY,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """A server process and where it listens."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/"


@contextmanager
def server(*, kind: str = "serve") -> Iterator[Running]:
    """Run `manage.py serve`, daphne or uvicorn until the block ends; wait until it answers."""
    port = free_port()
    commands: dict[str, list[Any]] = {
        "serve": ["manage.py", "serve", "--port", port],
        "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", port, "config.asgi:application"],
        "uvicorn": ["-m", "uvicorn", "--port", port, "--log-level", "warning",
                    "config.asgi:application"],
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *map(str, commands[kind])],
        cwd=Path(settings.BASE_DIR),
        env=environment(),
        text=True,
    )
    running = Running(process, port)
    try:
        _wait_until_it_answers(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(running: Running) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{running.http}/healthz", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if running.process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
