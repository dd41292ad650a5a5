"""A broken or absent database is told in plain words, whatever else fails with it."""

import pytest
from django.db import OperationalError
from django.test import Client

from tests.factories import MemberFactory

pytestmark = [pytest.mark.django_db, pytest.mark.expects_errors]


@pytest.fixture
def page(client: Client) -> Client:
    """A signed-in client that sees what a browser would see."""
    client.force_login(MemberFactory())
    client.raise_request_exception = False
    return client


def _break(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("grids.people.queries.proxies_of", fail)


def test_a_busy_database_asks_to_try_again(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, OperationalError("database is locked"))
    answer = page.get("/me/", headers={"accept-language": "en"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "<html" in answer.text


def test_our_own_fault_is_a_page(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch, ZeroDivisionError())
    answer = page.get("/me/")
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/html; charset=utf-8")


def test_a_menu_that_cannot_be_read_leaves_plain_text(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("connection refused")
    _break(monkeypatch, error)

    def fail(member: object) -> None:
        raise error

    monkeypatch.setattr("config.navigation.roles_of", fail)
    answer = page.get("/me/")
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/plain")


def test_the_api_documentation_needs_no_inline_script(client: Client) -> None:
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 200
    scripts = [part.split("</script>")[0] for part in answer.text.split("<script")[1:]]
    assert scripts
    assert all("src=" in script and script.rstrip().endswith(">") for script in scripts)
    started = client.get("/api/v1/docs/?script=")
    assert started["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in started.text
