"""What an import found in a file (pure): where, how grave, and a code that has words elsewhere."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

KEPT = 1000


class Level(StrEnum):
    """How grave it is: an error refuses the whole file, the others only want to be read."""

    ERROR = "error"
    DUPLICATE = "duplicate"
    WARNING = "warning"
    REPAIRED = "repaired"


@dataclass(frozen=True)
class Finding:
    """One thing found; `row` is a feature's or spreadsheet row's number, 0 the whole file."""

    row: int
    column: str
    code: str
    level: Level = Level.ERROR
    facts: dict[str, Any] = field(default_factory=dict)


class Unreadable(Exception):
    """The file as a whole can't be read; `code` and `facts` say why."""

    def __init__(self, code: str, *, row: int = 0, column: str = "", **facts: Any) -> None:
        self.finding = Finding(row, column, code, Level.ERROR, facts)
        super().__init__(code)


class Findings:
    """Collects findings: all are counted, the first thousand of each level are kept."""

    def __init__(self) -> None:
        self.counts: Counter[Level] = Counter()
        self._kept: list[Finding] = []

    def add(
        self, row: int, column: str, code: str, level: Level = Level.ERROR, **facts: Any
    ) -> None:
        """Note one finding."""
        self.append(Finding(row, column, code, level, facts))

    def append(self, finding: Finding) -> None:
        """Note a finding made elsewhere."""
        self.counts[finding.level] += 1
        if self.counts[finding.level] <= KEPT:
            self._kept.append(finding)

    @property
    def errors(self) -> int:
        """How many findings refuse the file."""
        return self.counts[Level.ERROR]

    def kept(self, *levels: Level) -> list[Finding]:
        """Return what was kept of these levels (of all, when none is named), in row order."""
        wanted = set(levels or Level)
        return sorted(
            (one for one in self._kept if one.level in wanted),
            key=lambda one: (list(Level).index(one.level), one.row),
        )

    def left_out(self) -> int:
        """How many findings were counted and not kept."""
        return sum(self.counts.values()) - len(self._kept)
