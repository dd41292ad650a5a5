"""Patrols of a period on the map and in the table; files for captains only."""

import json
from datetime import date, timedelta
from pathlib import Path

import pyogrio
import pytest
from django.test import Client
from shapely import LineString, from_wkb, to_wkb
from shapely.geometry import shape

from grids.maps import heat, layers
from grids.people.models import Member
from grids.places.models import Street
from patrols.shifts.map_layer import held_between
from tests.factories import NOW, MemberFactory, ShiftFactory, Town, a_community, grant, take

DAY = date(2026, 6, 1)


@pytest.fixture
def patrols(town: Town) -> Town:
    """Give the first cell two patrols, of which one took place, with two people."""
    where = {"community": town.community, "cell": town.cells[0]}
    held, empty = (ShiftFactory(**where, starts_at=NOW + timedelta(days=n)) for n in (0, 1))
    seats = list(held.seats.order_by("index"))
    take(seats[0], town.volunteers[0], "checked_out")
    take(seats[1], town.volunteers[1], "checked_in")
    take(seats[2], town.volunteers[2], "no_show")
    take(empty.seats.first(), town.volunteers[0], "no_show")
    ShiftFactory(community=town.community, cell=town.cells[0], kind="task")
    ShiftFactory(community=town.community, cell=town.cells[0], state="cancelled")
    return town


def test_a_patrol_took_place_where_somebody_checked_in(patrols: Town) -> None:
    cell = patrols.cells[0].pk
    found = held_between([patrols.community], DAY, DAY + timedelta(days=1))
    assert found == {cell: layers.Held(planned=2, held=1, people=2)}
    assert held_between([patrols.community], DAY, DAY)[cell].planned == 1
    assert held_between([patrols.community], DAY - timedelta(days=9), DAY - timedelta(days=1)) == {}
    assert held_between([a_community().community], DAY, DAY) == {}


def test_the_page_says_the_same_as_the_map(client: Client, patrols: Town) -> None:
    Member.objects.update(language="en")
    client.force_login(patrols.volunteers[3])
    url = f"/map/{patrols.community.code}/heat/"
    days = {"from": "2026-06-01", "to": "2026-06-02"}
    rows = client.get(url, days).context["rows"]
    assert [(row["id"], row["held"].held) for row in rows] == [
        (patrols.cells[1].pk, 0),
        (patrols.cells[0].pk, 1),
    ]
    html = client.get(f"{url}frame/", days).content.decode()
    assert f"{patrols.cells[0].code} \\u00b7 1" in html
    assert "1 of 2 patrols took place, 2 people came" in html
    for member in patrols.volunteers:
        assert member.display_name not in html
    client.force_login(a_community().captain)
    assert client.get(url).status_code == client.get(f"{url}frame/").status_code == 404


def test_streets_come_where_an_app_knows_them(
    client: Client, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = to_wkb(LineString([(122.41, 37.15), (122.42, 37.15)]))
    street = Street.objects.create(
        community=town.community, source_id="1", name="文化路", geometry=line
    )
    monkeypatch.setattr(layers, "street_history", [lambda *asked: {street.pk: 3}])
    Member.objects.update(language="en")
    client.force_login(town.captain)
    page = client.get(f"/map/{town.community.code}/heat/")
    assert page.context["streets"] == [("文化路", 3)]
    frame = client.get(f"/map/{town.community.code}/heat/frame/")
    assert "walked 3 times" in frame.content.decode()


@pytest.mark.parametrize("most", [0, 1, 2, 5, 6, 7, 31, 365])
def test_every_count_has_a_step_and_more_is_never_lighter(most: int) -> None:
    scale = heat.scale_of([0, most])
    steps = [scale.step(count) for count in range(1, most + 1)]
    assert steps == sorted(steps)
    assert scale.step(0) == "x"
    assert {step for step, _ in scale.legend()} == {"x", *steps}


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ((None, None), (DAY - timedelta(days=27), DAY)),
        ((DAY, date(2026, 5, 1)), (date(2026, 5, 1), DAY)),
        ((date(1900, 1, 1), DAY), (DAY - timedelta(days=365), DAY)),
        ((date(1, 1, 1), date(1, 1, 1)), (date(1, 1, 1), date(1, 1, 1))),
    ],
)
def test_a_period_is_in_order_and_at_most_a_year(
    asked: tuple[date | None, date | None], days: tuple[date, date]
) -> None:
    assert heat.period(*asked, DAY) == days


@pytest.mark.parametrize("bad", ["2026-13-40", "x", "9999-99-99"])
def test_bad_days_are_left_out(client: Client, town: Town, bad: str) -> None:
    client.force_login(town.captain)
    url = f"/map/{town.community.code}/heat/"
    assert client.get(url, {"from": bad, "to": bad}).status_code == 200
    assert client.get(url, {"to": "0001-01-05"}).status_code == 200


def address(town: Town, name: str) -> str:
    return f"/map/{town.community.code}/files/{name}"


def test_the_files_read_back(client: Client, town: Town, tmp_path: Path) -> None:
    client.force_login(town.captain)
    cells = json.loads(client.get(address(town, "cells.geojson")).content)
    assert [f["properties"]["code"] for f in cells["features"]] == [c.code for c in town.cells]
    assert all(shape(f["geometry"]).is_valid for f in cells["features"])
    houses = json.loads(client.get(address(town, "buildings.geojson")).content)
    assert {f["properties"]["cell"] for f in houses["features"]} == {c.code for c in town.cells}
    path = tmp_path / "map.gpkg"
    path.write_bytes(client.get(address(town, "map.gpkg")).content)
    assert [name for name, _kind in pyogrio.list_layers(path)] == ["cells", "buildings"]
    meta, _fids, geometry, fields = pyogrio.raw.read(path, layer="cells")
    assert meta["crs"] == "EPSG:4326"
    found = dict(zip(meta["fields"], fields, strict=True))
    assert list(found["households"]) == [400, 400]
    drawn = [from_wkb(each).bounds for each in geometry]
    assert drawn[0] == pytest.approx((122.41, 37.15, 122.42, 37.16))
    meta, *_rest, fields = pyogrio.raw.read(path, layer="buildings")
    assert list(fields[list(meta["fields"]).index("dwellings")]) == [20, 20]


@pytest.mark.parametrize("name", ["cells.geojson", "buildings.geojson", "map.gpkg"])
def test_files_are_for_captains_and_administrators(client: Client, town: Town, name: str) -> None:
    boss, of_one = (MemberFactory(community=town.community) for _ in range(2))
    grant(boss, "administrator", community=town.community)
    grant(of_one, "captain", cell=town.cells[1])
    for who, status in (
        (town.volunteers[0], 403), (town.reviewer, 403), (a_community().captain, 404),
        (town.captain, 200), (boss, 200), (of_one, 200),
    ):  # fmt: skip
        client.force_login(who)
        assert client.get(address(town, name)).status_code == status
    if name.endswith(".geojson"):
        features = json.loads(client.get(address(town, name)).content)["features"]
        assert len(features) == 1
    assert client.get(address(town, "members.csv")).status_code == 404
