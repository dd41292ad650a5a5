"""Imports: every feature is taken, repaired or refused by number; all or nothing."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from shapely import from_wkb

from common.errors import NotAllowed
from common.unit_of_work import unit_of_work
from grids.places import services
from grids.places.datum import from_wgs84
from grids.places.models import Border, Building, Street
from grids.places.wording import WORDS
from tests.factories import CommunityFactory, MemberFactory, grant

SQUARE = [[[9.5, 47.1], [9.501, 47.1], [9.501, 47.101], [9.5, 47.101], [9.5, 47.1]]]
BOW_TIE = [[[9.5, 47.1], [9.501, 47.101], [9.501, 47.1], [9.5, 47.101], [9.5, 47.1]]]


def feature(
    number: int, coordinates: Any = SQUARE, kind: str = "Polygon", **properties: Any
) -> Any:
    return {
        "type": "Feature",
        "id": number,
        "properties": properties,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def write(folder: Path, *features: Any, **more: Any) -> str:
    path = folder / "f.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}))
    return str(path)


@pytest.mark.django_db
def test_buildings_are_added_then_changed(tmp_path: Path) -> None:
    community = CommunityFactory(code="x")
    file = write(
        tmp_path,
        feature(1, dwellings=12, levels=3, **{"addr:street": "Dorf", "addr:housenumber": "4"}),
        feature(2, id="b-7", dwellings_est=5, name="Schule"),
    )
    call_command("import_buildings", file, community="x")
    rows = {b.source_id: b for b in Building.objects.filter(community=community)}
    assert {key: (b.dwellings, b.levels, b.address, b.name) for key, b in rows.items()} == {
        "1": (12, 3, "Dorf 4", ""),
        "b-7": (5, None, "", "Schule"),
    }
    assert rows["1"].lon == pytest.approx(9.5005, abs=0.001)
    call_command("import_buildings", write(tmp_path, feature(1, dwellings=20)), community="x")
    assert Building.objects.get(source_id="1").dwellings == 20
    assert Building.objects.count() == 2


@pytest.mark.django_db
def test_an_outline_that_crosses_itself_is_repaired_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CommunityFactory(code="x")
    call_command("import_buildings", write(tmp_path, feature(1, BOW_TIE)), community="x")
    assert from_wkb(bytes(Building.objects.get().geometry)).is_valid
    said = capsys.readouterr().out
    assert "feature 1, column geometry: The outline crossed itself; repaired." in said


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (feature(2, [[[47.1, 109.5], [47.1, 109.6], [47.2, 109.6], [47.1, 109.5]]]), "swapped"),
        (feature(2, [[[2e5, 1e6], [2e5, 2e6], [3e5, 1e6], [2e5, 1e6]]]), "EPSG:4326"),
        (feature(2, [9.5, 47.1], "Point"), "must be a Polygon"),
        (feature(2, []), "empty"),
        (feature(2, [[[9.5, 47.1], [9.5]]]), "fewer than two"),
        (feature(2, "abc"), "not lists of numbers"),
        (feature(2, [[[9.5, 47.1], [9.6, 47.1]]]), "fewer than three"),
        (feature(2, dwellings=-3), "whole number"),
        (feature(2, dwellings="many"), "not a number"),
        (feature(2, dwellings=1e9), "whole number"),
        (feature(1), "used by feature 1"),
        ({"type": "Feature", "properties": {}, "geometry": None}, "no “id”"),
        ({"type": "Feature", "id": 2, "properties": [1], "geometry": None}, "must be an object"),
        ({"type": "Feature", "id": 2, "geometry": None}, "no geometry"),
        ("text", "not an object"),
        (None, "not an object"),
    ],
)
@pytest.mark.django_db
def test_one_bad_feature_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: Any, reason: str
) -> None:
    CommunityFactory(code="x")
    with pytest.raises(CommandError, match="1 features refused; nothing was imported"):
        call_command("import_buildings", write(tmp_path, feature(1), bad), community="x")
    said = capsys.readouterr().err
    assert "feature 2" in said
    assert reason in said
    assert not Building.objects.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"type": "Topology"}', "FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": {}}', "must be a list"),
        (b"\xff\xfe", "not UTF-8"),
        (
            (
                b'{"type": "FeatureCollection", "features": [], "crs": '
                b'{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}}'
            ),
            "EPSG::3857",
        ),
    ],
)
@pytest.mark.django_db
def test_an_unreadable_file_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    CommunityFactory(code="x")
    path = tmp_path / "f.geojson"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        call_command("import_buildings", str(path), community="x")


@pytest.mark.django_db
def test_unknown_community_and_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no community with the code 'y'"):
        call_command("import_streets", write(tmp_path), community="y")
    CommunityFactory(code="x")
    with pytest.raises(CommandError, match="no such file"):
        call_command("import_streets", str(tmp_path / "none"), community="x")


@pytest.mark.django_db
def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    CommunityFactory(code="x")
    call_command("import_buildings", write(tmp_path, feature(1)), community="x", dry_run=True)
    assert not Building.objects.exists()


@pytest.mark.django_db
def test_streets_keep_their_length(tmp_path: Path) -> None:
    CommunityFactory(code="x")
    line = [[9.5, 47.1], [9.5, 47.101]]
    file = write(tmp_path, feature(1, line, "LineString", name="Dorfstrasse", highway="tertiary"))
    call_command("import_streets", file, community="x")
    street = Street.objects.get()
    assert (street.name, street.highway) == ("Dorfstrasse", "tertiary")
    assert street.length_m == pytest.approx(111.2, abs=0.2)


@pytest.mark.django_db
def test_gcj02_is_moved_to_wgs84(tmp_path: Path) -> None:
    CommunityFactory(code="x")
    square = [[[116.404, 39.915], [116.405, 39.915], [116.405, 39.916], [116.404, 39.915]]]
    file = write(tmp_path, feature(1, square))
    call_command("import_buildings", file, community="x", datum="gcj02")
    building = Building.objects.get()
    assert building.lon < 116.3990
    assert building.lat < 39.9145


@pytest.mark.django_db
@pytest.mark.parametrize("service", [services.import_buildings, services.import_streets])
def test_only_an_administrator_of_the_place_changes_its_map(service: Any) -> None:
    street = CommunityFactory()
    here, elsewhere = CommunityFactory(parent=street), CommunityFactory(parent=street)
    captain, above, beside, chief = (MemberFactory(community=here) for _ in range(4))
    grant(captain, "captain", community=here)
    grant(above, "administrator", community=street)
    grant(beside, "administrator", community=elsewhere)
    chief.is_superuser = True
    for actor in (captain, beside, MemberFactory()):
        with pytest.raises(NotAllowed), unit_of_work(actor):
            service(community=here, rows=[], actor=actor)
    for allowed in (above, chief, None):
        with unit_of_work(allowed):
            assert service(community=here, rows=[], actor=allowed).added == 0


def borders(folder: Path, *named: tuple[str, Any]) -> str:
    return write(folder, *(feature(i, ring, code=code) for i, (code, ring) in enumerate(named)))


@pytest.mark.django_db
def test_borders_find_their_community_by_code_or_name(tmp_path: Path) -> None:
    street = CommunityFactory(code="s")
    here = CommunityFactory(code="x", parent=street, name="河东")
    other = [[[9.6, 47.1], [9.61, 47.1], [9.61, 47.11], [9.6, 47.1]]]
    call_command(
        "import_boundaries", borders(tmp_path, ("s", SQUARE), ("河东", other)), community="s"
    )
    assert set(Border.objects.values_list("community", flat=True)) == {street.pk, here.pk}
    call_command("import_boundaries", borders(tmp_path, ("whose?", SQUARE)), community="x")
    assert from_wkb(bytes(here.border.geometry)).bounds == (9.5, 47.1, 9.501, 47.101)
    with pytest.raises(CommandError, match="1 features refused"):
        call_command(
            "import_boundaries", borders(tmp_path, ("x", SQUARE), ("nobody", other)), community="s"
        )
    elsewhere = CommunityFactory(code="y")
    with pytest.raises(CommandError, match="1 features refused"):
        call_command(
            "import_boundaries", borders(tmp_path, ("y", SQUARE), ("x", other)), community="s"
        )
    assert not Border.objects.filter(community=elsewhere).exists()


@pytest.mark.django_db
def test_the_report_is_a_table_that_is_safe_to_open(tmp_path: Path) -> None:
    CommunityFactory(code="x")
    report = tmp_path / "report.csv"
    bad = feature(2, dwellings="=1+1")
    with pytest.raises(CommandError):
        call_command(
            "import_buildings",
            write(tmp_path, feature(1, BOW_TIE, dwellings=3), bad),
            community="x",
            report=report,
        )  # fmt: skip
    rows = list(csv.reader(report.read_text("utf-8-sig").splitlines()))
    assert [row[1:4] for row in rows] == [
        ["Row", "Column", "How grave"], ["2", "dwellings", "Error"], ["1", "geometry", "Repaired"],
    ]  # fmt: skip
    assert all(row[5] for row in rows)


@pytest.mark.django_db
def test_a_file_without_features_imports_nothing(tmp_path: Path) -> None:
    CommunityFactory(code="x")
    with pytest.raises(CommandError, match="holds no features"):
        call_command("import_buildings", write(tmp_path), community="x")


@pytest.mark.django_db
def test_many_faults_are_counted_not_poured_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CommunityFactory(code="x")
    with pytest.raises(CommandError, match="1500 features refused"):
        call_command("import_buildings", write(tmp_path, *[None] * 1500), community="x")
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 51
    assert said[-1] == "… and 1450 more"


def town(shift: Callable[[float, float], tuple[float, float]], ids: str = "") -> list[Any]:
    """Sixty houses in rows, moved by `shift`."""
    found = []
    for n in range(60):
        x, y = 116.40 + (n % 10) * 0.0011, 39.91 + (n // 10) * 0.0007 + (n % 3) * 0.0001
        ring = [(x, y), (x + 0.0005, y), (x + 0.0005, y + 0.0002), (x, y)]
        found.append(feature(n, [[shift(*at) for at in ring]], id=f"{ids}{n}", dwellings=3))
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("ids", ["", "other-"])
@pytest.mark.parametrize(("datum", "metres"), [("gcj02", 549), ("bd09", 1347)])
def test_data_in_another_datum_are_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ids: str, datum: str, metres: int
) -> None:
    CommunityFactory(code="x")
    true = write(tmp_path, *town(lambda x, y: (x, y)))
    call_command("import_buildings", true, community="x")
    assert "shifted" not in capsys.readouterr().err
    moved = write(tmp_path, *town(lambda x, y: from_wgs84(x, y, datum), ids))
    call_command("import_buildings", moved, community="x", dry_run=True)
    said = capsys.readouterr().err
    assert f"--datum {datum}" in said
    found = re.search(r"shifted by (\d+) m", said)
    assert found
    assert abs(int(found[1]) - metres) < 40
    call_command("import_buildings", moved, community="x", datum=datum, dry_run=True)
    assert "warning: " not in capsys.readouterr().err


@pytest.mark.django_db
def test_swapped_axes_in_range_are_noticed_beside_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CommunityFactory(code="x")
    call_command("import_buildings", write(tmp_path, feature(1)), community="x")
    swapped = [[[y, x] for x, y in SQUARE[0]]]
    file = write(tmp_path, feature(2, swapped))
    with pytest.raises(CommandError, match="swapped axes"):
        call_command("import_buildings", file, community="x")
    call_command("import_buildings", file, community="x", swap=True)
    assert Building.objects.get(source_id="2").lat == pytest.approx(47.1005, abs=0.001)


@pytest.mark.django_db
def test_things_that_moved_for_no_known_reason_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CommunityFactory(code="x")
    call_command("import_buildings", write(tmp_path, *town(lambda x, y: (x, y))), community="x")
    moved = write(tmp_path, *town(lambda x, y: (x, y - 0.002)))
    call_command("import_buildings", moved, community="x", dry_run=True)
    assert "lie 222 m (S) from where they are now" in capsys.readouterr().err
    far = write(tmp_path, *town(lambda x, y: (x - 5, y), "far"))
    call_command("import_buildings", far, community="x", dry_run=True)
    assert "km (W) from what is there already" in capsys.readouterr().err


def test_every_finding_has_its_words() -> None:
    used = set()
    for path in [*Path("grids/places/geojson").glob("*.py"), Path("grids/places/checking.py")]:
        text = path.read_text()
        used |= set(re.findall(r'(?:Refused|Unreadable)\(\s*"(\w+)"', text))
        used |= set(re.findall(r'\.add\([^")]*(?:"\w*", )"(\w+)"', text))
    assert len(used) > 30
    assert used <= set(WORDS)
