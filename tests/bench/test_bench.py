"""The harness runs at a tiny size and says what it promises; what it judges is judged right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from bench import http, report
from bench.report import Figure

KEYS = {"name", "unit", "ours", "peer", "peer_name", "ratio", "least", "most", "missing", "detail",
        "ok"}  # fmt: skip


@pytest.mark.slow
def test_claims_and_checkins_are_measured_over_http(tmp_path: Path) -> None:
    # How fast is not judged: at this size, and beside other tests, it says nothing.
    figures = http.run(size=http.TINY)
    report.write(tmp_path / "out.json", figures, speed="tiny", load_before=0.5)
    said = json.loads((tmp_path / "out.json").read_text())
    assert set(said) == {"machine", "speed", "figures"}
    assert set(said["machine"]) == {"cores", "cpu", "python", "load_before"}
    assert all(set(figure) == KEYS for figure in said["figures"])
    by_name = {figure["name"]: figure for figure in said["figures"]}
    for name in ("claims/s", "check-ins/s"):
        figure = by_name[name]
        assert figure["least"] == 0.33
        assert figure["ratio"] == pytest.approx(figure["ours"] / figure["peer"], rel=0.01)
        assert figure["detail"]["requests"] == http.TINY.requests
        assert name in report.table(figures)
    assert by_name["50 at once on 3 seats: exactly 3 filled"]["ok"] is True
    assert by_name["claims/s with 5 watchers, all told of all"]["detail"]["events_delivered"] == 80


def test_what_can_not_be_measured_says_why(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "claims", "--tiny", "--json", str(out)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (figure,) = json.loads(out.read_text())["figures"]
    assert set(figure) == KEYS
    assert "PostgreSQL" in figure["missing"]
    assert "not measured: PostgreSQL" in done.stdout


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Figure("a", ours=1, peer=3, ratio=0.33, least=0.33), True),
        (Figure("a", ours=1, peer=3, ratio=0.32, least=0.33), False),
        (Figure("a", ours=0.02, most=0.01), False),
        (Figure("a", ours=5), None),
        (Figure("a", missing="no database", least=1), None),
    ],
)
def test_a_limit_is_judged_on_the_ratio_else_on_ours(figure: Figure, ok: bool | None) -> None:
    assert figure.ok is ok


def test_medians_are_of_each_round_by_itself() -> None:
    # The machine was three times slower in the second round, for both.
    found = report.compared("a", [90, 30, 60], [180, 60, 100], peer_name="b")
    assert (found.ours, found.peer, found.ratio) == (60, 100, 0.5)


def test_percentiles() -> None:
    values = [float(n) for n in range(1, 101)]
    assert report.percentile(values, 0.5) == 51
    assert report.percentile(values, 0.99) == 100
