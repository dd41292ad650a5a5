"""Malformed files: each with its verdict, by feature number; memory bounded; never a crash."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping, shape

from grids.places.findings import Findings, Unreadable
from grids.places.geojson import BUILDINGS, STREETS, read_rows, stream, stream_features
from grids.places.geojson.geometry import Builder, Refused

SQUARE = [[9.5, 47.1], [9.501, 47.1], [9.501, 47.101], [9.5, 47.101], [9.5, 47.1]]
HOLE = [[9.5002, 47.1002], [9.5002, 47.1004], [9.5004, 47.1004], [9.5002, 47.1002]]


def feature(number: Any, coordinates: Any, kind: str = "Polygon", **properties: Any) -> Any:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "id": number, "properties": properties, "geometry": geometry}


def document(*features: Any, **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", **more, "features": features}).encode()


def read(content: bytes, folder: Path, kind: Any = BUILDINGS, **options: Any) -> Any:
    """Return (rows by number, findings as (row, code)) of a file with this content."""
    path = folder / "f.geojson"
    path.write_bytes(content)
    findings = Findings()
    rows = dict(read_rows(stream_features(path), kind, findings, **options))
    return rows, [(one.row, one.code) for one in findings.kept()]


GOOD = feature(1, [SQUARE])
COLLECTION = b'{"type":"FeatureCollection","features":['


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        (b"", "empty_file", 0),
        (b" \n ", "empty_file", 0),
        (b"\xef\xbb\xbf", "empty_file", 0),
        (document(GOOD)[:-40], "cut_off", 1),
        (document(GOOD, GOOD)[:-2], "cut_off", 3),
        (document(GOOD) + b"}", "no_json", 2),
        (document(GOOD).decode().encode("utf-16"), "utf16", 0),
        (document(GOOD).decode().encode("utf-16-le"), "utf16", 0),
        (document(GOOD).decode().encode("utf-32"), "utf16", 0),
        (b"\x1f\x8b\x08\x00", "packed", 0),
        (b"PK\x03\x04", "packed", 0),
        (COLLECTION + b'{"name":"\xb9\xc8"}]}', "not_utf8", 1),
        (COLLECTION + b'1,{"x":NaN}]}', "not_a_number", 2),
        (COLLECTION + b'1,{"x":-Infinity}]}', "not_a_number", 2),
        (COLLECTION + b'{"x":1e999}]}', "number_too_large", 1),
        (COLLECTION + b'{"x":' + b"9" * 400 + b"}]}", "number_too_large", 1),
        (COLLECTION + b"{'x':1}]}", "no_json", 1),
        (COLLECTION + b"1,]}", "no_json", 2),
        (b"[" * 100_000, "too_deep", 0),
        (COLLECTION + b'{"a":' * 100_000, "too_deep", 1),
        (b"<html>", "no_json", 0),
        (b"[]", "no_collection", 0),
        (b'"text"', "no_collection", 0),
        (json.dumps(GOOD).encode(), "no_collection", 0),
        (b'{"type":"FeatureCollection"}', "features_no_list", 0),
        (b'{"type":"FeatureCollection","features":null}', "features_no_list", 0),
        (b'{"type":"FeatureCollection","features":{"a":[1]}}', "features_no_list", 0),
        (COLLECTION + b'],"features":[]}', "features_twice", 0),
        (document(crs={"type": "name", "properties": {"name": "EPSG:3857"}}), "other_crs", 0),
        (document(crs={"properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}), "other_crs", 0),
        (document(crs={"type": "link", "properties": {"href": "x"}}), "other_crs", 0),
        (b'{"a":"' + b"x" * 100_000 + b'"}', "outline_too_large", 0),
    ],
)
def test_a_file_that_is_no_geojson_says_why(
    tmp_path: Path, content: bytes, code: str, row: int
) -> None:
    with pytest.raises(Unreadable) as refused:
        read(content, tmp_path)
    assert (refused.value.finding.code, refused.value.finding.row) == (code, row)


@pytest.mark.parametrize(
    "content",
    [
        document(GOOD),
        b"\xef\xbb\xbf" + document(GOOD),
        document(GOOD, crs=None),
        document(GOOD, crs={"properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}),
        document(GOOD, crs={"properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}),
        document(GOOD)[:-1] + b',"crs":{"properties":{"name":"EPSG:4326"}}, "bbox":[1,2]}\r\n',
        document(GOOD, note='a "quoted" [{ \\'),
    ],
)
def test_what_is_geojson_is_read(tmp_path: Path, content: bytes) -> None:
    rows, findings = read(content, tmp_path)
    assert (list(rows), findings) == ([1], [])


def test_a_crs_that_comes_last_refuses_the_file_too(tmp_path: Path) -> None:
    late = document(GOOD)[:-1] + b',"crs":{"properties":{"name":"EPSG:3857"}}}'
    with pytest.raises(Unreadable, match="other_crs"):
        read(late, tmp_path)


def test_one_endless_feature_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_LARGEST_FEATURE", 200_000)
    content = COLLECTION + b'{"a":[' + b"1," * 200_000 + b"1]}]}"
    with pytest.raises(Unreadable, match="feature_too_large"):
        read(content, tmp_path)


BOW_TIE = [[9.5, 47.1], [9.501, 47.101], [9.501, 47.1], [9.5, 47.101], [9.5, 47.1]]
OUTSIDE = [[[9.6, 47.1], [9.601, 47.1], [9.601, 47.101], [9.6, 47.1]]]
FLAT = [[9.5, 47.1], [9.501, 47.1], [9.502, 47.1], [9.5, 47.1]]
LATITUDE_FIRST = [[37.1, 122.4], [37.1, 122.5], [37.2, 122.5], [37.1, 122.4]]
MERCATOR = [[1057535.0, 5956000.0], [1057545.0, 5956000.0], [1057545.0, 5956010.0]]


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [
        (feature(2, [BOW_TIE]), "outline_repaired"),
        (feature(2, [SQUARE, HOLE, HOLE]), "outline_repaired"),
        (feature(2, [[SQUARE], [SQUARE]], "MultiPolygon"), "outline_repaired"),
        (feature(2, [SQUARE[:-1]]), "ring_closed"),
        (feature(2, [[[*at, 450.5] for at in SQUARE]]), "altitude"),
        (feature(2, [SQUARE, []]), ""),
        (feature(2.0, [SQUARE]), ""),
        ({**GOOD, "id": None, "properties": {"id": 2}}, ""),
        (feature(2, [FLAT]), "no_area"),
        (feature(2, [[[9.5, 47.1]] * 5]), "ring_too_short"),
        (feature(2, [SQUARE[:2]]), "ring_too_short"),
        (feature(2, [LATITUDE_FIRST]), "axes_swapped"),
        (feature(2, [MERCATOR]), "in_metres"),
        (feature(2, [[[500, 47], [501, 47], [501, 48], [500, 47]]]), "not_in_degrees"),
        (feature(2, [9.5, 47.1], "Point"), "wrong_type_area"),
        (feature(2, SQUARE, "LineString"), "wrong_type_area"),
        (feature(2, [SQUARE], "polygon"), "wrong_type_area"),
        (feature(2, [[SQUARE]]), "coordinates_no_numbers"),
        (feature(2, SQUARE), "coordinates_no_lists"),
        (feature(2, [["9.5", "47.1"]] * 4), "coordinates_no_lists"),
        (feature(2, [[["9.5", "47.1"]] * 4]), "coordinates_no_numbers"),
        (feature(2, [[[None, 47.1]] * 4]), "coordinates_no_numbers"),
        (feature(2, [[[True, False]] * 4]), "coordinates_no_numbers"),
        (feature(2, [[[9.5]] * 4]), "position_too_short"),
        (feature(2, []), "geometry_empty"),
        (feature(2, [[]]), "geometry_empty"),
        (feature(2, None), "geometry_empty"),
        (feature(2, {"x": 1}), "coordinates_no_lists"),
        (feature(2, "9.5 47.1"), "coordinates_no_lists"),
        ({**GOOD, "geometry": None}, "no_geometry"),
        ({**GOOD, "geometry": {}}, "no_geometry"),
        ({**GOOD, "geometry": [1]}, "no_geometry"),
        ({"type": "Feature", "properties": {}, "geometry": GOOD["geometry"]}, "no_id"),
        (feature(True, [SQUARE]), "no_id"),
        (feature(" ", [SQUARE]), "no_id"),
        (feature([1], [SQUARE]), "no_id"),
        (feature("x" * 81, [SQUARE]), "text_too_long"),
        (feature(2, [SQUARE], name={"zh": "楼"}), "no_text"),
        (feature(2, [SQUARE], name="楼" * 161), "text_too_long"),
        (feature(2, [SQUARE], dwellings=-1), "no_count"),
        (feature(2, [SQUARE], dwellings=1.5), "no_count"),
        (feature(2, [SQUARE], dwellings="１２"), ""),
        (feature(2, [SQUARE], dwellings="twelve"), "no_number"),
        (feature(2, [SQUARE], levels=[3]), "no_number"),
        (feature(2, [SQUARE], levels=99999), "no_count"),
        ({**GOOD, "properties": "none"}, "properties_no_object"),
        (GOOD["geometry"], "no_feature"),
        (None, "no_feature"),
        (7, "no_feature"),
        ([], "no_feature"),
    ],
)
def test_each_feature_has_its_verdict(tmp_path: Path, bad: Any, verdict: str) -> None:
    rows, findings = read(document(feature(1, OUTSIDE), bad), tmp_path)
    taken = verdict in {"", "outline_repaired", "ring_closed", "altitude"}
    assert list(rows) == ([1, 2] if taken else [1])
    where = 0 if verdict == "altitude" else 2
    assert findings == ([(where, verdict)] if verdict else [])
    if taken:
        assert rows[2].geometry.is_valid
        assert rows[2].geometry.area > 0
        assert not rows[2].geometry.has_z


def test_a_hole_outside_its_shell_is_no_ground(tmp_path: Path) -> None:
    rows, _ = read(document(feature(1, [SQUARE, *OUTSIDE])), tmp_path)
    assert rows[1].geometry.equals(shape({"type": "Polygon", "coordinates": [SQUARE]}))


def test_swapped_axes_are_read_when_asked(tmp_path: Path) -> None:
    rows, findings = read(document(feature(1, [LATITUDE_FIRST])), tmp_path, swap=True)
    assert findings == []
    assert rows[1].geometry.bounds == (122.4, 37.1, 122.5, 37.2)


def test_a_collection_of_outlines_is_one_building(tmp_path: Path) -> None:
    parts = [{"type": "Polygon", "coordinates": ring} for ring in ([SQUARE], OUTSIDE)]
    good = {**GOOD, "geometry": {"type": "GeometryCollection", "geometries": parts}}
    rows, findings = read(document(good), tmp_path)
    assert (rows[1].geometry.geom_type, findings) == ("MultiPolygon", [])
    point = {"type": "Point", "coordinates": [9.5, 47.1]}
    mixed = {**GOOD, "geometry": {"type": "GeometryCollection", "geometries": [*parts, point]}}
    assert read(document(mixed), tmp_path) == ({}, [(1, "wrong_type_area")])


@pytest.mark.parametrize(
    ("coordinates", "kind", "verdict"),
    [
        (SQUARE, "LineString", ""),
        ([SQUARE], "MultiLineString", ""),
        ([SQUARE], "Polygon", "wrong_type_street"),
        (SQUARE[:1], "LineString", "line_too_short"),
        ([SQUARE[0], SQUARE[0]], "LineString", "line_too_short"),
        ([], "LineString", "geometry_empty"),
    ],
)
def test_streets_have_theirs(tmp_path: Path, coordinates: Any, kind: str, verdict: str) -> None:
    rows, findings = read(document(feature(1, coordinates, kind)), tmp_path, STREETS)
    assert findings == ([(1, verdict)] if verdict else [])
    assert len(rows) == (0 if verdict else 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)  # fmt: skip
files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@files
@given(features=st.lists(JSON, max_size=6), size=st.integers(1, 40), ascii_only=st.booleans())
@example(features=['\\"[{', "\\\\"], size=1, ascii_only=True)
def test_the_stream_yields_what_json_holds(
    tmp_path: Path, features: list[Any], size: int, ascii_only: bool
) -> None:
    path = tmp_path / "s.json"
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=ascii_only)
    path.write_bytes(text.encode("utf-8", "replace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "_CHUNK", size)
        # json writes half a surrogate pair, which is no text; yajl reads "?" for it.
        if not any("\\ud" in json.dumps(one) for one in features):
            assert list(stream_features(path)) == features


@files
@given(cut=st.integers(0, 900), noise=st.binary(max_size=6), at=st.integers(0, 900))
def test_a_damaged_file_is_read_or_refused_but_never_a_crash(
    tmp_path: Path, cut: int, noise: bytes, at: int
) -> None:
    whole = document(*[feature(n, [SQUARE], name="楼" * n) for n in range(6)], crs=None)
    damaged = (whole[:at] + noise + whole[at:])[: 1000 - cut]
    with suppress(Unreadable):
        read(damaged, tmp_path)


@files
@given(raw=st.fixed_dictionaries({"type": st.sampled_from(["Polygon", "MultiPolygon",
       "GeometryCollection", "Point"]), "coordinates": JSON, "geometries": JSON}))  # fmt: skip
def test_no_geometry_crashes(raw: Any) -> None:
    try:
        built = Builder(BUILDINGS.shape).build(raw)
    except Refused:
        return
    assert mapping(built)["type"] in {"Polygon", "MultiPolygon"}


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        one = json.dumps(GOOD).encode()
        (tmp_path / "big").write_bytes(COLLECTION + b",".join([one] * count) + b"]}")
        tracemalloc.start()
        try:
            assert sum(1 for _ in stream_features(tmp_path / "big")) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    small, large = peak(4_000), peak(40_000)
    assert large < small * 1.5 + 200_000
