"""Check an uploaded file outside any transaction, and hold it ready to be written.

A check reads the file twice at most: once when it is sent, once when it is imported, since the
map or the list of members may have changed in between.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grids.people import member_words  # noqa: F401 (gives the findings their words)
from grids.people.members_file import read_members
from grids.people.models import Member, Upload
from grids.people.services import Duplicates, import_members, plan_members
from grids.places import geocode
from grids.places.checking import MAP_IMPORTS, checked_file
from grids.places.findings import Finding, Findings, Level
from grids.places.models import Community

Write = Callable[[Member | None, datetime], dict[str, int]]


@dataclass(frozen=True)
class Ready:
    """A checked file: what was found, and how it is written in an open unit of work."""

    rows: int
    findings: Findings
    write: Write

    @property
    def good(self) -> bool:
        """The file may be imported."""
        return self.findings.errors == 0


@contextmanager
def checked(
    *, kind: str, community: Community, content: bytes, options: dict[str, Any]
) -> Iterator[Ready]:
    """Check a file's content; the rows are there while the context is open."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        path = Path(file.name)
        if kind == Upload.Kind.MEMBERS:
            yield _members(path, community, options)
            return
        how = MAP_IMPORTS[kind]
        datum, swap = options.get("datum", "wgs84"), bool(options.get("swap"))
        with checked_file(path, how.kind, community, datum=datum, swap=swap) as found:

            def write(actor: Member | None, now: datetime) -> dict[str, int]:
                done = how.write(community=community, rows=found.rows, actor=actor)
                return {"added": done.added, "changed": done.changed}

            yield Ready(found.rows.count, found.findings, write)


def _members(path: Path, community: Community, options: dict[str, Any]) -> Ready:
    reading = read_members(path)
    choices: dict[str, Any] = {
        "duplicates": Duplicates(options.get("duplicates", "refuse")),
        "leave_unknown_homes": bool(options.get("leave_unknown_homes")),
        "located": geocode.homes(community, [row.address for row in reading.rows]),
    }
    plan = plan_members(rows=reading.rows, community=community, **choices)
    for one in plan.findings.kept():
        reading.findings.append(one)
    if reading.ignored:
        names = ", ".join(reading.ignored)[:200]
        reading.findings.add(1, "", "columns_ignored", Level.WARNING, names=names)

    def write(actor: Member | None, now: datetime) -> dict[str, int]:
        done = import_members(
            rows=reading.rows, community=community, actor=actor, now=now, **choices
        )
        return {"added": done.added, "changed": done.changed, "skipped": done.skipped}

    return Ready(len(plan.add) + len(plan.update), reading.findings, write)


def stored(findings: Findings) -> list[dict[str, Any]]:
    """Return what was kept as JSON."""
    return [asdict(one) for one in findings.kept()]


def findings_of(upload: Upload) -> list[Finding]:
    """Return an upload's findings, gravest first."""
    return [Finding(**{**one, "level": Level(one["level"])}) for one in upload.findings]
