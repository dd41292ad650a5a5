"""Liveness, readiness, metrics."""

from tests.contract.site import Person, Site


def test_healthz(site: Site) -> None:
    assert site.http.get("/healthz").status_code == 200


def test_readyz(site: Site) -> None:
    answer = site.http.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["checks"]) == {"database", "layer", "worker"}


def test_metrics(site: Site, captain: Person) -> None:
    captain.get("me")
    answer = site.http.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "linli_http_requests_total{" in answer.text
    assert "# TYPE linli_http_request_seconds histogram" in answer.text
    # No ids, no names, no phones.
    assert captain.phone not in answer.text
    assert "/api/v1/" not in answer.text
