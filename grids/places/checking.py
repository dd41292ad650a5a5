"""Check a GeoJSON file before it is written: rows wait on disk, findings say what to look at.

Nothing is written here; no transaction is open while a file is read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import from_wkb

from grids.places import services
from grids.places.alignment import Ground, Sample, ground_of, judge
from grids.places.findings import Findings, Level, Unreadable
from grids.places.geojson import BORDERS, BUILDINGS, STREETS, Kind, read_rows, stream_features
from grids.places.models import Building, Community, Street
from grids.places.queries import communities_named
from grids.places.services import Imported
from grids.places.spool import Spool
from grids.places.wording import DATUM_NAMES

Progress = Callable[[int], object]
_MOST_COMPARED = 20_000


@dataclass(frozen=True)
class MapImport:
    """One kind of import: how its file is read, and the service that writes it."""

    kind: Kind[Any]
    write: Callable[..., Imported]


MAP_IMPORTS = {
    "buildings": MapImport(BUILDINGS, services.import_buildings),
    "streets": MapImport(STREETS, services.import_streets),
    "boundaries": MapImport(BORDERS, services.import_borders),
}


@dataclass
class Checked:
    """A file as checked: `rows` may be written when `findings.errors` is 0."""

    rows: Spool[Any]
    findings: Findings

    @property
    def good(self) -> bool:
        """The file may be imported."""
        return self.findings.errors == 0


@contextmanager
def checked_file(
    path: Path,
    kind: Kind[Any],
    community: Community,
    *,
    datum: str = "wgs84",
    swap: bool = False,
    progress: Progress = lambda _bytes: None,
) -> Iterator[Checked]:
    """Read and check a whole file; memory does not grow with it. Never raises for what is in it."""
    findings = Findings()
    with Spool(kind) as rows:
        sample, households = Sample(), 0
        try:
            features = _counted(stream_features(path, progress=progress), findings)
            for number, row in read_rows(features, kind, findings, datum=datum, swap=swap):
                _keep(number, row, rows, findings)
                sample.offer((row.source_id, row.geometry))
                households += getattr(row, "dwellings", 1)
        except Unreadable as error:
            if error.finding.code == "other_crs":
                findings = Findings()  # the rest came from taking metres for degrees
            findings.append(error.finding)
        if rows.count and not households:
            findings.add(0, "dwellings", "no_households", Level.WARNING)
        if kind is BORDERS:
            _check_borders(community, rows, findings)
        else:
            _compare(community, kind, sample, findings, datum=datum, swap=swap)
        yield Checked(rows, findings)


def _counted(features: Iterator[Any], findings: Findings) -> Iterator[Any]:
    empty = True
    for feature in features:
        empty = False
        yield feature
    if empty:
        findings.add(0, "", "no_features")


def _keep(number: int, row: Any, rows: Spool[Any], findings: Findings) -> None:
    same_id, same_shape = rows.add(number, row)
    if same_id is not None:
        findings.add(number, "id", "id_twice", id=row.source_id, first=same_id)
    elif same_shape is not None:
        findings.add(number, "geometry", "same_outline", Level.DUPLICATE, first=same_shape)


def _check_borders(community: Community, rows: Spool[Any], findings: Findings) -> None:
    numbered = list(rows.numbered())
    found = communities_named(community, [row for _, row in numbered])
    for (number, row), whose in zip(numbered, found, strict=True):
        if whose is None:
            findings.add(number, "code", "unknown_community", id=row.source_id)


def _compare(
    community: Community,
    kind: Kind[Any],
    sample: Sample,
    findings: Findings,
    *,
    datum: str,
    swap: bool,
) -> None:
    """Warn when the data look shifted, far away or with swapped axes beside what is there."""
    new = ground_of(sample.kept)
    there = _there(community)
    if kind is BUILDINGS:
        there.middles = {k: v for k, v in there.middles.items() if k.startswith("b:")}
    verdict = judge(_with_kind(new, kind), there, datum=datum)
    if verdict is None:
        return
    facts: dict[str, Any] = {"metres": verdict.metres, "direction": verdict.direction}
    kilometres = round(verdict.metres / 1000)
    if verdict.code == "swapped" and not swap:
        findings.add(0, "geometry", "axes_swapped_here", kilometres=kilometres)
    elif verdict.code in {"far", "swapped"}:
        away = {"kilometres": kilometres, "direction": verdict.direction or "?"}
        findings.add(0, "geometry", "far_away", Level.WARNING, **away)
    elif verdict.code == "shifted":
        facts |= {"datum": DATUM_NAMES[verdict.datum], "option": verdict.datum}
        findings.add(0, "geometry", "shifted", Level.WARNING, **facts)
    else:
        findings.add(0, "geometry", "moved", Level.WARNING, **facts)


def _with_kind(ground: Ground, kind: Kind[Any]) -> Ground:
    if kind is BUILDINGS:
        ground.middles = {f"b:{name}": at for name, at in ground.middles.items()}
    return ground


def _there(community: Community) -> Ground:
    """Return what the community has on the map; of a very large one, a part."""

    def some() -> Iterator[tuple[str, Any]]:
        for prefix, rows in (
            ("b:", Building.objects.filter(community=community)),
            ("s:", Street.objects.filter(community=community)),
        ):
            found = rows.order_by("pk").values_list("source_id", "geometry")[:_MOST_COMPARED]
            for name, geometry in found.iterator():
                yield prefix + name, from_wkb(bytes(geometry))

    return ground_of(some())
