"""For those who run Linli: `/healthz` (alive), `/readyz` (fit), `/metrics` (Prometheus)."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from django_tasks_db.models import DBTaskResult
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from config import worker
from realtime import metrics as socket_metrics
from realtime import wake

logger = logging.getLogger(__name__)
disable_created_metrics()  # type: ignore[no-untyped-call]
# Loading them registers them, also in a process that serves no sockets.
__all__ = ["MetricsMiddleware", "socket_metrics", "urlpatterns"]
WORKER_SILENT_S = 30.0
LAYER_WITHIN_S = 2.0

requests_total = Counter(
    "linli_http_requests", "Requests answered", labelnames=("view", "method", "status")
)
request_seconds = Histogram(
    "linli_http_request_seconds",
    "Time to answer a request",
    labelnames=("view",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class MetricsMiddleware:
    """Count requests by view, method and status, and time them.

    The label is the view's name, never the path: paths carry ids and would be without number.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        view = (match.view_name or match._func_path) if match else "none"
        method = request.method if request.method in _METHODS else "other"
        requests_total.labels(view, method, str(response.status_code)).inc()
        request_seconds.labels(view).observe(time.perf_counter() - started)
        return response


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class WaitingWork(Collector):
    """How far jobs and tasks are behind, read when Prometheus asks."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            lag = worker.job_lag(worker.wall_clock()).total_seconds()
            tasks = DBTaskResult.objects.ready().count()
        except DatabaseError as error:
            logger.warning("metrics: %s", error)
            return
        yield GaugeMetricFamily("linli_job_lag_seconds", "Longest time a job is overdue", lag)
        yield GaugeMetricFamily("linli_tasks_waiting", "Queued tasks that may run now", tasks)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []


REGISTRY.register(WaitingWork())


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; nothing else is looked at."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether database, channel layer and worker are there; 503 names which is not."""
    checks = {
        name: _checked(check)
        for name, check in (("database", _database), ("layer", _layer), ("worker", _worker))
    }
    ready = all(check["ok"] for check in checks.values())
    response = JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)
    response["Cache-Control"] = "no-store"
    # The probe has its answer: Django would log every 503 as an error of ours.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus's text format, for this process, to those who watch over it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
            headers = {"WWW-Authenticate": "Bearer"}
            return HttpResponse("A token is needed.\n", "text/plain", 401, headers=headers)
    elif not _from_nearby(request):
        return HttpResponse("Not from here.\n", "text/plain", 403)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _from_nearby(request: HttpRequest) -> bool:
    """Say whether an allowed network connects directly: what a proxy passes on is a stranger's."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in settings.METRICS_NETWORKS)


def _checked(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run one check; whatever it raises means no. Details go to the log, not to strangers."""
    started = time.perf_counter()
    try:
        result = {"ok": True, **check()}
    except Exception as error:  # noqa: BLE001 - any failure of a dependency is the answer
        logger.warning("not ready: %s: %s", type(error).__name__, error)
        result = {"ok": False, "error": type(error).__name__}
    return {**result, "ms": round((time.perf_counter() - started) * 1000, 1)}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"vendor": connection.vendor}


def _layer() -> dict[str, Any]:
    layer = wake.shared_layer()
    if layer is None:
        return {"kind": "in-process"}

    async def send() -> None:
        async with asyncio.timeout(LAYER_WITHIN_S):
            await layer.group_send(wake.group_name("readyz"), {"type": "frames"})

    async_to_sync(send)()
    return {"kind": "redis"}


def _worker() -> dict[str, Any]:
    age = worker.youngest_beat_age(worker.wall_clock())
    if age is None:
        return {"ok": False, "age_s": None}
    age_s = round(age.total_seconds(), 1)
    return {"ok": age_s <= WORKER_SILENT_S, "age_s": age_s}


urlpatterns: list[URLPattern] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
