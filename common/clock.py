"""The one place that reads the time, so that tests and the demo's story can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_fixed: datetime | None = None


def now() -> datetime:
    """Return the current instant in UTC."""
    return _fixed if _fixed is not None else datetime.now(UTC)


@contextmanager
def fixed_at(instant: datetime) -> Iterator[None]:
    """Hold the whole process's clock at `instant` (aware); for the demo's story only.

    Every thread sees it, the HTTP server's too; tests use time-machine instead.
    """
    global _fixed
    if instant.tzinfo is None:
        raise ValueError("instant must carry a zone")
    before, _fixed = _fixed, instant.astimezone(UTC)
    try:
        yield
    finally:
        _fixed = before
