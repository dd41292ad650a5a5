"""What every test shares."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from django.utils.translation.reloader import translation_file_changed
from rest_framework.test import APIClient

from tests import catalogue, factories
from timebank.ledger import guards

CHROMIUM = os.environ.get("LINLI_CHROMIUM", "/usr/bin/chromium")
NO_SKIPS = os.environ.get("LINLI_NO_SKIPS") == "1"


# Servers that tests start speak what the tests read.
os.environ.setdefault("LINLI_LANGUAGE", "en")


def pytest_configure() -> None:
    """Compile the translations, and answer in English unless a test asks for another language."""
    for compiled in catalogue.compile_stale():
        translation_file_changed(None, compiled)
    settings.LANGUAGE_CODE = "en"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no server or browser for.

    A test of the other database is left out rather than skipped: it runs in the other mode.
    """
    postgres = connection.vendor == "postgresql"
    missing = {
        "postgres": "" if postgres else "needs PostgreSQL: set DATABASE_URL",
        "redis": "" if os.environ.get("REDIS_URL") else "needs Redis: set REDIS_URL",
        "browser": "" if Path(CHROMIUM).exists() else "needs Debian's chromium package",
    }
    for name, reason in missing.items():
        if reason:
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(pytest.mark.skip(reason=reason))
    if postgres:
        others = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where nothing may be skipped (CI), a skip is a failure."""
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"


@pytest.fixture(scope="session", autouse=True)
def flush_lifts_the_guards() -> Iterator[None]:
    """Let the test runner, and nobody else, empty the append-only tables between tests."""
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: TransactionTestCase) -> None:
        with guards.lifted():
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


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


@pytest.fixture(autouse=True)
def no_language_left() -> None:
    """Forget the language that the test before was answered in: requests leave theirs behind."""
    translation.deactivate()


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
