"""Liveness, readiness, metrics."""

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from config import ops, worker
from config.models import WorkerBeat


def test_alive_without_a_database(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_ready_when_database_layer_and_worker_are(client: Client) -> None:
    worker.Worker().beat()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["ready"] is True
    assert set(response.json()["checks"]) == {"database", "layer", "worker"}


@pytest.mark.django_db
@pytest.mark.parametrize("age", [None, timedelta(seconds=60)])
def test_not_ready_without_a_living_worker(client: Client, age: timedelta | None) -> None:
    if age is not None:
        then = timezone.now() - age
        WorkerBeat.objects.create(worker="w", started_at=then, beat_at=then)
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert (checks["worker"]["ok"], checks["database"]["ok"]) == (False, True)


@pytest.mark.django_db
def test_not_ready_without_a_database(client: Client) -> None:
    worker.Worker().beat()
    with mock.patch.object(ops.connection, "cursor", side_effect=OperationalError("secret host")):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"]["ok"] is False
    assert "secret" not in response.content.decode()


@pytest.mark.django_db
def test_not_ready_without_a_layer(client: Client) -> None:
    worker.Worker().beat()
    layer = mock.Mock(group_send=mock.AsyncMock(side_effect=ConnectionError))
    with mock.patch("realtime.wake.shared_layer", return_value=layer):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["layer"] == {
        "ok": False, "error": "ConnectionError", "ms": mock.ANY,
    }  # fmt: skip


@pytest.mark.django_db
def test_metrics_count_by_view_and_never_by_path(client: Client) -> None:
    client.get("/healthz")
    client.get("/no/such/address/12345")
    client.generic("BREW", "/healthz")
    text = client.get("/metrics").content.decode()
    assert 'linli_http_requests_total{method="GET",status="200",view="healthz"}' in text
    assert 'linli_http_requests_total{method="other",status="405",view="healthz"}' in text
    assert 'view="none"' in text
    assert "12345" not in text
    for name in (
        "linli_sockets_open", "linli_subscriptions_open", "linli_frames_sent_total",
        "linli_sockets_closed_slow_total", "linli_event_lag_seconds_bucket",
        "linli_job_lag_seconds", "linli_tasks_waiting",
    ):  # fmt: skip
        assert name in text


@pytest.mark.django_db
def test_metrics_answer_without_a_database(client: Client) -> None:
    with mock.patch("config.worker.job_lag", side_effect=OperationalError):
        response = client.get("/metrics")
    assert response.status_code == 200
    assert b"linli_sockets_open" in response.content
    assert b"linli_job_lag_seconds" not in response.content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:10.1.2.3", {}, 200),
        ("192.168.4.5", {}, 200),
        ("203.0.113.9", {}, 403),
        ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("nowhere", {}, 403),
    ],
)
def test_metrics_are_for_those_nearby(
    client: Client, address: str, headers: dict[str, str], status: int
) -> None:
    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


@pytest.mark.django_db
def test_with_a_token_metrics_are_for_who_has_it_from_anywhere(
    client: Client, settings: Any
) -> None:
    settings.METRICS_TOKEN = "s3cret"
    refused = client.get("/metrics")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
    for given, status in [("Bearer s3cret", 200), ("Bearer s3cre", 401), ("s3cret", 401)]:
        far = client.get("/metrics", headers={"Authorization": given}, REMOTE_ADDR="203.0.113.9")
        assert far.status_code == status
