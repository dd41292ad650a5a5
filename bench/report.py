"""What a bench says: figures against a peer of the same run, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Figure:
    """One measured thing: ours, the peer's in the same run, their ratio and its limit.

    `least` or `most` is what the ratio (without a peer: `ours`) must keep; neither: told only.
    `missing` says why nothing was measured.
    """

    name: str
    unit: str = ""
    ours: float | None = None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    missing: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool | None:
        """Say whether the limit is kept; None where there is none or nothing was measured."""
        value = self.ratio if self.ratio is not None else self.ours
        if value is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as JSON."""
        return {**asdict(self), "ok": self.ok}


def compared(
    name: str,
    ours: list[float],
    peer: list[float],
    *,
    peer_name: str,
    unit: str = "/s",
    least: float | None = None,
    detail: dict[str, Any] | None = None,
) -> Figure:
    """Return medians of rounds; the ratio is the median of each round's own.

    A busy machine slows both sides of a round alike, so the ratio stands when the rates don't.
    """
    rounds = [a / b for a, b in zip(ours, peer, strict=True)]
    return Figure(
        name,
        unit=unit,
        ours=round(statistics.median(ours), 2),
        peer=round(statistics.median(peer), 2),
        peer_name=peer_name,
        ratio=round(statistics.median(rounds), 3),
        least=least,
        detail=detail or {},
    )


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` (0–1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a table of plain text."""
    rows = [("what", "ours", "peer", "ratio", "limit", "")]
    for figure in figures:
        if figure.missing:
            rows.append((figure.name, "not measured: " + figure.missing, "", "", "", ""))
            continue
        limit = f"≥ {figure.least:g}" if figure.least is not None else ""
        if figure.most is not None:
            limit = f"{limit} ≤ {figure.most:g}".strip()
        rows.append(
            (
                figure.name,
                f"{_number(figure.ours)} {figure.unit}".strip(),
                f"{_number(figure.peer)} ({figure.peer_name})" if figure.peer is not None else "",
                _number(figure.ratio),
                limit,
                {True: "ok", False: "BELOW", None: ""}[figure.ok],
            )
        )
    # A reason may be long: it spreads over the columns that it leaves empty.
    widths = [
        max(len(row[i]) for row in rows if i == 0 or not row[1].startswith("not measured"))
        for i in range(6)
    ]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def write(path: Path, figures: list[Figure], **more: Any) -> None:
    """Write the figures and what they were measured on as JSON."""
    document = {
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _cpu(),
            "python": platform.python_version(),
            "load_before": more.pop("load_before", None),
        },
        **more,
        "figures": [figure.as_dict() for figure in figures],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Figure]:
    """Read the figures of a JSON file."""
    found = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return [Figure(**{k: v for k, v in figure.items() if k != "ok"}) for figure in found]


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
