"""Communities, cells, and where a point is."""

from typing import Any

import pytest

from tests.contract.site import Person, assert_problem


def test_communities(captain: Person, demo: dict[str, Any]) -> None:
    page = captain.get("communities")
    assert set(page) == {"next", "previous", "results"}
    found = {row["id"]: row for row in page["results"]}
    assert demo["community"] in found
    assert all(row["name"] and row["code"] for row in found.values())
    # Three communities of one district.
    assert len(found) >= 4


def test_cells_are_geojson(captain: Person, demo: dict[str, Any]) -> None:
    cells = captain.get("cells", community=demo["community"])
    assert cells["type"] == "FeatureCollection"
    assert {cell["id"] for cell in cells["features"]} == set(demo["cells"])
    for cell in cells["features"]:
        assert cell["type"] == "Feature"
        assert cell["geometry"]["type"] in {"Polygon", "MultiPolygon"}
        facts = cell["properties"]
        assert {"id", "code", "name", "kind", "households", "captain"} <= set(facts)
        assert facts["id"] == cell["id"]
        assert facts["kind"] == "geographic"
        assert 300 <= facts["households"] <= 500, facts


def test_every_cell_is_found_again(captain: Person, demo: dict[str, Any]) -> None:
    from shapely.geometry import shape

    for cell in captain.get("cells", community=demo["community"])["features"]:
        point = shape(cell["geometry"]).representative_point()
        found = captain.get("cells/locate", lat=point.y, lon=point.x)
        assert found.get("id", found.get("properties", {}).get("id")) == cell["id"]


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (90, 180), (-90, -180), (37.16, 122.42)])
def test_outside_all_cells(captain: Person, lat: float, lon: float) -> None:
    answer = captain.call("GET", "cells/locate", params={"lat": lat, "lon": lon})
    assert_problem(answer, 404, "outside_all_cells")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "lat"), ("lat=1", "lon"), ("lat=91&lon=0", "lat"), ("lat=0&lon=181", "lon"),
        ("lat=x&lon=0", "lat"), ("lat=nan&lon=0", "lat"), ("lat=0&lon=inf", "lon"),
        ("lat=%00&lon=0", "lat"), ("lat=1e999&lon=0", "lat"), ("lat=&lon=", "lat"),
        ("lat=-inf&lon=nan", "lon"),
    ],
)  # fmt: skip
def test_points_that_are_none(captain: Person, query: str, field: str) -> None:
    assert_problem(captain.call("GET", f"cells/locate?{query}"), 400, field=field)


@pytest.mark.parametrize("wanted", ["", "x", "0", "-1", "1.5", "9" * 30, "%00", "１", "nan"])
def test_communities_that_are_none(captain: Person, wanted: str) -> None:
    assert_problem(captain.call("GET", f"cells?community={wanted}"), 400, field="community")


def test_cells_of_no_community(captain: Person) -> None:
    assert_problem(captain.call("GET", "cells"), 400, field="community")
    assert_problem(captain.call("GET", "cells?community=987654321"), 404)
