"""Streets become a network, clipped to a cell, walked and written out."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from shapely.geometry import LineString, MultiLineString, box

from patrols.routes import cell, gpx, network
from patrols.routes.check import faults
from patrols.routes.matching import Fix, walked, walked_shares
from patrols.routes.network import StreetLine, clip, join, key_of
from patrols.routes.problem import Answer


def street(name, *points, highway="residential"):
    return StreetLine(name, name, LineString(points), highway)


def metres(net, required=True):
    return sorted(round(s.metres) for s in net.stretches if s.required == required)


def test_streets_are_cut_where_they_cross():
    net = join([street("a", (0, 0), (100, 0)), street("b", (40, -50), (40, 50))])
    assert metres(net) == [40, 50, 50, 60]
    assert len(net.xy) == 5


def test_an_end_near_a_street_meets_it_and_one_further_off_does_not():
    near = join([street("a", (0, 0), (100, 0)), street("b", (40, 1.5), (40, 50))])
    assert len(near.stretches) == 3
    assert len(near.xy) == 4
    far = join([street("a", (0, 0), (100, 0)), street("b", (40, 6), (40, 50))])
    assert len(far.stretches) == 2
    assert len(far.xy) == 4


def test_ends_that_nearly_meet_are_one_node():
    net = join([street("a", (0, 0), (100, 0)), street("b", (101, 0.5), (200, 0))])
    assert len(net.xy) == 3


def test_a_street_drawn_twice_counts_once_also_in_two_parts():
    net = join(
        [
            street("a", (0, 0), (100, 0)),
            street("copy", (100, 0.3), (0, 0)),
            StreetLine("c", "c", MultiLineString([[(100, 0), (150, 0)], [(100, 0), (150, 1)]])),
        ]
    )
    assert sorted(s.street for s in net.stretches) == ["a", "c"]


def test_parallel_streets_between_the_same_crossings_are_two():
    bow = street("bow", (0, 0), (50, 30), (100, 0))
    net = join([street("a", (0, 0), (100, 0)), bow])
    assert len(net.stretches) == 2


def test_a_street_that_crosses_itself_is_cut_there():
    net = join([street("loop", (0, 0), (100, 0), (100, 50), (50, 50), (50, -50))])
    # To the crossing at (50, 0), round the loop, and on.
    assert metres(net) == [50, 50, 200]


def test_motorways_are_not_walked_and_long_roads_are_cut():
    net = join(
        [
            street("m", (0, 0), (500, 0), highway="motorway"),
            street("long", (0, 90), (1000, 90)),
        ]
    )
    assert metres(net) == [333, 333, 333]


def test_no_streets_are_no_network():
    assert join([]).stretches == ()


def town():
    """A street through the cell and out, one along its border, one outside, one stub."""
    return join(
        [
            street("through", (0, 50), (300, 50)),
            street("border", (110, -100), (110, 200)),
            street("outside", (110, -100), (300, -100), (300, 50)),
            street("stub", (50, 50), (50, 130)),
        ]
    )


def test_a_cell_owns_what_runs_inside_or_along_its_border():
    net = clip(town(), box(0, 0, 100, 100))
    own = {}
    for stretch in net.stretches:
        if stretch.required:
            own[stretch.street] = own.get(stretch.street, 0) + stretch.metres
    assert own["through"] == pytest.approx(110)
    # Along the border, within 15 m of it, and cut there.
    assert own["border"] == pytest.approx(130, abs=10)
    assert own["stub"] == pytest.approx(65)
    assert "outside" not in own


def test_both_neighbours_own_the_street_on_their_border():
    streets = town()
    east = clip(streets, box(100, 0, 200, 100))
    assert "border" in {s.street for s in east.stretches if s.required}


def test_ways_outside_link_the_cell_and_dead_ends_are_left_out():
    # A fork of two streets that meet only outside, and an outer dead end.
    streets = join(
        [
            street("north", (0, 80), (150, 80)),
            street("south", (0, 20), (150, 20)),
            street("tie", (150, 80), (150, 20)),
            street("dead", (150, 20), (290, 20)),
        ]
    )
    net = clip(streets, box(0, 0, 100, 100))
    assert {s.street for s in net.stretches if not s.required} == {"north", "south", "tie"}
    route = cell.route(net, meeting=(0, 80), limit_m=1000)
    assert route.unreached == {}
    assert len(route.tours) == 1
    assert faults(route.problem, Answer(route.tours, route.tours_m, 0)) == []


def block(size=5, step=100.0):
    lines = []
    for at in range(size):
        lines.append(street(f"r{at}", (0, at * step), ((size - 1) * step, at * step)))
        lines.append(street(f"c{at}", (at * step, 0), (at * step, (size - 1) * step)))
    return join(lines)


def test_a_cell_is_walked_in_tours_of_a_patrols_length():
    net = block()
    one = cell.route(net, meeting=(0, 0), limit_m=10_000)
    assert len(one.tours) == 1
    assert one.tours_m == one.single_m
    cut = cell.route(net, meeting=(210, 190), limit_m=1600)
    assert len(cut.tours) >= 3
    assert max(tour.cost for tour in cut.tours) <= 1600
    assert cut.tours_m >= one.single_m
    assert tuple(net.xy[cut.problem.depot]) == (200, 200)
    assert faults(cut.problem, Answer(cut.tours, cut.tours_m, 0)) == []
    assert cut.streets_m == pytest.approx(4000)
    assert cut.deadhead_share == pytest.approx(1 - 4000 / cut.tours_m)


def test_what_is_out_of_reach_is_named():
    net = join(
        [
            street("main", (0, 0), (300, 0)),
            street("island", (0, 100), (100, 100)),
            street("far", (300, 0), (900, 0)),
        ]
    )
    route = cell.route(net, meeting=(0, 0), limit_m=900)
    why = {net.stretches[number].street: reason for number, reason in route.unreached.items()}
    assert why == {"island": "no_way", "far": "too_far"}


def test_a_cell_without_streets_has_no_route():
    route = cell.route(join([]), meeting=(0, 0), limit_m=900)
    assert route.tours == ()
    assert route.deadhead_share == 0


def test_a_walk_is_one_line_from_the_meeting_point_and_back():
    net = block(3)
    route = cell.route(net, meeting=(0, 0), limit_m=10_000)
    line = LineString(cell.walk_line(net, route.tours[0].steps))
    assert line.length == pytest.approx(route.tours[0].cost)
    assert line.coords[0] == line.coords[-1] == (0, 0)


def test_a_stretchs_key_is_the_same_whichever_way_it_was_drawn():
    line = [(9.5, 47.1), (9.5004, 47.1003), (9.501, 47.1)]
    assert key_of("s", line) == key_of("s", line[::-1])
    assert key_of("s", line) != key_of("t", line)
    assert key_of("s", line) != key_of("s", [line[0], (9.5004, 47.0997), line[2]])


def along(*points, every=20.0, accuracy=10.0):
    line = LineString(points)
    many = int(line.length // every)
    places = [line.interpolate(at * every) for at in range(many + 1)]
    return [Fix(at * 15.0, p.x, p.y, accuracy) for at, p in enumerate(places)]


def test_a_track_walks_the_streets_it_follows_and_no_side_street():
    lines = [
        s.line
        for s in join([street("a", (0, 0), (200, 0)), street("b", (100, 0), (100, 90))]).stretches
    ]
    track = along((0, 8), (200, 8))
    shares = walked_shares(lines, track)
    named = {
        tuple(map(round, line.bounds)): share for line, share in zip(lines, shares, strict=True)
    }
    assert named[(0, 0, 100, 0)] > 0.9
    assert named[(100, 0, 200, 0)] > 0.9
    assert named[(100, 0, 100, 90)] < 0.3


def test_half_a_street_is_not_walked_and_two_halves_are():
    line = LineString([(0, 0), (200, 0)])
    assert walked([line], along((0, 3), (100, 3))) == []
    later = [Fix(fix.seconds + 3600, fix.x, fix.y) for fix in along((100, 3), (200, 3))]
    assert walked([line], along((0, 3), (100, 3)) + later) == [0]


def test_weak_positions_and_unknown_ways_count_for_nothing():
    line = LineString([(0, 0), (200, 0)])
    assert walked([line], along((0, 3), (200, 3), accuracy=80)) == []
    assert walked([line], [Fix(0, 0, 0), Fix(600, 200, 0)]) == []
    assert walked([line], along((0, 60), (200, 60))) == []
    assert walked([line], []) == []
    assert walked([], along((0, 0), (9, 0))) == []


def test_gpx_is_what_a_reader_expects():
    document = gpx.write(
        name="Cell <1> & “two”\x07",
        made_at=datetime(2026, 6, 1, 12, tzinfo=UTC),
        meeting=("东门", 122.42, 37.16),
        tracks=[("Tour 1", [(122.42, 37.16), (122.43, 37.1612345678)])],
    )
    root = ET.fromstring(document)
    space = {"g": gpx.NAMESPACE}
    assert root.tag == f"{{{gpx.NAMESPACE}}}gpx"
    assert root.get("version") == "1.1"
    # The schema fixes the order of the parts.
    assert [child.tag.split("}")[1] for child in root] == ["metadata", "wpt", "trk"]
    assert root.findtext("g:metadata/g:name", namespaces=space) == "Cell <1> & “two”"
    assert root.findtext("g:metadata/g:time", namespaces=space) == "2026-06-01T12:00:00Z"
    points = root.findall("g:trk/g:trkseg/g:trkpt", space)
    assert [(p.get("lat"), p.get("lon")) for p in points] == [
        ("37.160000", "122.420000"),
        ("37.161235", "122.430000"),
    ]
    assert root.findtext("g:wpt/g:name", namespaces=space) == "东门"


def test_nearest_needs_a_node():
    with pytest.raises(ValueError, match="no node"):
        network.join([]).nearest(0, 0)
