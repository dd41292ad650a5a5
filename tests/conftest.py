"""What every test shares."""

import logging
from collections.abc import Iterator

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tests import factories


class _Loud(logging.Handler):
    """Collects what nobody should have logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_error_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that logged an ERROR, unless it is marked `expects_errors`."""
    handler = _Loud()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if request.node.get_closest_marker("expects_errors") is None:
        assert handler.records == []


@pytest.fixture
def api() -> APIClient:
    """An API client; `api.force_authenticate(member)` signs in."""
    return APIClient(raise_request_exception=True)


@pytest.fixture
def on_postgres() -> bool:
    """Whether this run uses PostgreSQL."""
    return connection.vendor == "postgresql"


@pytest.fixture
def town(db: None) -> factories.Town:
    """A small community with cells, members and patrols (see factories.a_community)."""
    return factories.a_community()
