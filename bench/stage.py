"""Where a bench plays: throw-away databases and real server processes."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent


class NotMeasured(RuntimeError):
    """Something that the bench needs is not here; the message says what."""


@dataclass
class Database:
    """A fresh database by its URL; `engine` is "postgresql" or "sqlite"."""

    url: str
    engine: str


@contextmanager
def database() -> Iterator[Database]:
    """Make an empty database where DATABASE_URL points (SQLite file otherwise), and drop it.

    Raises NotMeasured when PostgreSQL is named but can't be reached or makes no database.
    """
    asked = os.environ.get("DATABASE_URL", "")
    if not asked.startswith(("postgres://", "postgresql://")):
        folder = Path(tempfile.mkdtemp(prefix="linli_bench_"))
        try:
            yield Database(f"sqlite:///{folder / 'bench.sqlite3'}", "sqlite")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    import psycopg

    name = f"linli_bench_{secrets.token_hex(4)}"
    server = urlunsplit(urlsplit(asked)._replace(path="/postgres"))
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=5) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        raise NotMeasured(f"PostgreSQL: {str(error).strip()}") from error
    try:
        yield Database(urlunsplit(urlsplit(asked)._replace(path=f"/{name}")), "postgresql")
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def environment(base: Database, **more: str) -> dict[str, str]:
    """The environment of every process that uses this database."""
    return {
        **os.environ,
        "DATABASE_URL": base.url,
        "LINLI_SECRET_KEY": "bench-" * 10,
        "LINLI_LOG_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


@contextmanager
def server(
    base: Database, *, application: str = "config.asgi:application", serve: bool = False
) -> Iterator[int]:
    """Run daphne (`serve`: `manage.py serve`, its worker included); yield the port.

    It is ours from start to end: stopped by its own handle, killed if it does not go. Its log
    is shown only if something went wrong: every refusal of a race is a line there.
    """
    port = _free_port()
    command = (
        ["manage.py", "serve", "--port", str(port)]
        if serve
        else ["-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), application]
    )
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment(base),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_open(process, port)
            yield port
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-4000:].decode(errors="replace"))
            raise
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start (exit status {process.poll()})")
        time.sleep(0.1)
