"""What a community may ask of a drawing: captains' homes, barriers, street sides, estates."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from grids.zoning.check import each_once, shape_faults
from grids.zoning.draw import draw_cells
from grids.zoning.edit import Neighbours, prepare
from grids.zoning.plan import CellPlan, Notice, Reason, english
from grids.zoning.problem import Band, Building, BuildingId, Options, ProblemError, Street

from .towns import at, grid_town, house, main_street

BAND = Band(300, 500)


def assert_whole(plan: CellPlan, buildings: list[Building]) -> None:
    assert each_once(plan, buildings) == []
    assert all(cell.contiguous for cell in plan.cells)
    assert shape_faults(plan, buildings) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_captains_homes_are_in_different_cells(seed: int) -> None:
    town = grid_town(20, 16, seed=4)
    cells = draw_cells(town, band=BAND).measures.cells
    rng = random.Random(seed)
    # Anywhere, neighbours among them.
    homes = [b.id for b in rng.sample(town, cells - 2)]
    pair = [b.id for b in town if b.id in (45, 46)]
    seeds = tuple(dict.fromkeys([*homes, *pair]))[:cells]
    plan = draw_cells(town, band=BAND, seed=seed, options=Options(seeds=seeds))
    assert_whole(plan, town)
    cell_of = plan.cell_of()
    assert len({cell_of[b] for b in seeds}) == len(seeds)
    assert plan.measures.share_in_band_all == 1.0


def test_more_captains_than_cells_are_told() -> None:
    town = grid_town(8, 6, seed=4)
    seeds = tuple(b.id for b in town[:5])
    plan = draw_cells(town, band=BAND, options=Options(seeds=seeds))
    assert_whole(plan, town)
    crowded = [n for c in plan.cells for n in c.notes if n.code is Notice.SEEDS]
    assert crowded
    cell_of = plan.cell_of()
    assert len({cell_of[b] for b in seeds}) == len(plan.cells)
    with pytest.raises(ProblemError, match="seed 'x'"):
        draw_cells(town, options=Options(seeds=("x",)))


def river(x: float, highway: str = "river") -> Street:
    return Street(id="r", line=LineString([at(x, -500), at(x, 2000)]), highway=highway)


def test_no_cell_crosses_a_river() -> None:
    town = grid_town(12, 10, seed=3)
    plan = draw_cells(town, [river(75.0)], band=BAND)
    assert_whole(plan, town)
    west = {b.id for b in town if (b.lon - 113.5) * 91_300 < 75}
    assert all(west.isdisjoint(c.buildings) or west.issuperset(c.buildings) for c in plan.cells)
    assert crossing(prepare(town, [river(75.0)], band=BAND), west) == 0
    soft = Options(hard=frozenset())
    assert crossing(prepare(town, [river(75.0)], band=BAND, options=soft), west) >= 10


def crossing(near: Neighbours, west: set[BuildingId]) -> int:
    """Return how many neighbours are on different sides."""
    ids = near.ids
    return sum(
        (ids[i] in west) > (ids[j] in west) for i, around in enumerate(near.around) for j in around
    )


def test_few_houses_behind_a_railway_are_told_with_the_reason() -> None:
    town = grid_town(12, 10, seed=3)
    plan = draw_cells(town, [river(15.0, "rail")], band=BAND)
    assert_whole(plan, town)
    cell = next(c for c in plan.cells if not c.in_band)
    assert cell.reason is Reason.BARRIER
    assert cell.numbers["households"] == cell.households < cell.numbers["min"] == 300
    assert plan.measures.share_in_band == 1.0


def test_a_house_whose_corner_lies_over_the_line_is_no_bridge() -> None:
    rows = [house(i, 20 * (i % 20), 40 * (i // 20), 20) for i in range(40)]
    wall = LineString([at(-50, 20), at(90, 35), at(500, 20)])
    area = Options(barriers=(wall.buffer(0.00001), wall))
    plan = draw_cells(rows, band=BAND, options=area)
    assert_whole(plan, rows)
    south = set(range(20))
    assert all(south.isdisjoint(c.buildings) or south.issuperset(c.buildings) for c in plan.cells)


def test_one_side_of_a_street_belongs_together() -> None:
    """Two rows of houses to each street: a border runs behind the houses, or in the street."""
    town, streets = [], []
    for row in range(8):
        # Houses at both sides, 16 m from the street; backyards 28 m deep.
        y = 60.0 * row
        streets.append(
            Street(
                id=row,
                line=LineString([at(-20, y), at(260, y)]),
                highway="residential",
            )
        )
        for column in range(10):
            for side in (-16, 16):
                town.append(house(len(town), 26.0 * column, y + side, 10))
    kept = draw_cells(town, streets, band=BAND)
    free = draw_cells(town, streets, band=BAND, options=Options(street_weight=0))

    def torn(plan: CellPlan) -> int:
        cell_of = plan.cell_of()
        return sum(
            len({cell_of[row * 20 + column * 2 + side] for column in range(10)}) - 1
            for row in range(8)
            for side in (0, 1)
        )

    assert torn(kept) < torn(free)


@pytest.mark.parametrize("named", [True, False])
def test_estates_are_kept_whole_where_they_fit(named: bool) -> None:
    """Six estates of about 400 households, whose limits are no street."""
    town = []
    limits = []
    for e in range(6):
        x, y = 190.0 * (e % 3), 180.0 * (e // 3)
        limits.append(box(*at(x - 15, y - 15), *at(x + 175, y + 165)))
        for k in range(36):
            h = house(100 * e + k, x + 30 * (k % 6), y + 30 * (k // 6), 11)
            town.append(
                Building(h.id, h.dwellings, h.lon, h.lat, h.footprint, estate=e if named else None)
            )
    options = Options(estates=() if named else tuple(limits))
    plan = draw_cells(town, band=BAND, seed=2, options=options)
    assert_whole(plan, town)
    assert plan.measures.share_in_band_all == 1.0
    whole = [c for c in plan.cells if len({int(str(b)) // 100 for b in c.buildings}) == 1]
    assert len(whole) >= 4


def test_reasons_are_codes_with_numbers() -> None:
    town = [b for b in grid_town(12, 9, seed=3) if b.id != 40]
    hamlet = grid_town(3, 3, seed=5, first=1000, x=3000)
    plan = draw_cells([*town, house(40, 120, 90, 700), *hamlet], band=BAND)
    reasons = {c.reason: c.numbers for c in plan.cells if c.reason}
    assert reasons[Reason.BLOCK] == {"largest": 700, "max": 500}
    assert set(reasons[Reason.HAMLET]) == {"households", "min", "nearest_m"}
    for reason, numbers in reasons.items():
        assert english(reason, numbers)


bowtie = Polygon([at(0, 0), at(20, 20), at(20, 0), at(0, 20)])
footprints = st.sampled_from(["none", "bowtie", "empty", "sliver", "point", "multi", "box"])


def footprint(kind: str, x: float, y: float) -> Polygon | MultiPolygon | Point | None:
    if kind == "bowtie":
        return Polygon([at(x - 9, y - 9), at(x + 9, y + 9), at(x + 9, y - 9), at(x - 9, y + 9)])
    if kind == "empty":
        return Polygon()
    if kind == "sliver":
        return Polygon([at(x - 9, y), at(x + 9, y), at(x, y)])
    if kind == "point":
        return Point(at(x, y))
    house_box = box(*at(x - 6, y - 6), *at(x + 6, y + 6))
    if kind == "multi":
        return MultiPolygon([house_box, box(*at(x + 8, y - 6), *at(x + 12, y + 6))])
    return house_box if kind == "box" else None


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 0.0001, 15, 30, 31, 60, 5000, 60_000]),
            st.sampled_from([0, 0, 0, 20, 45]),
            st.sampled_from([0, 0, 1, 40, 299, 300, 501, 90_000]),
            footprints,
        ),
        max_size=14,
    ),
    st.booleans(),
)
def test_hostile_towns_are_drawn(places: list[tuple[float, float, int, str]], barred: bool) -> None:
    town = []
    for i, (x, y, dwellings, kind) in enumerate(places):
        lon, lat = at(x, y)
        town.append(Building(i, dwellings, lon, lat, footprint(kind, x, y)))
    barriers = (LineString([at(22, -90), at(22, 90)]), Polygon(), bowtie) if barred else ()
    options = Options(
        effort=0.1,
        barriers=barriers,
        estates=(bowtie, Polygon()),
        seeds=tuple(range(len(town)))[:3],
    )
    plan = draw_cells(town, [river(500)], band=BAND, options=options)
    assert each_once(plan, town) == []
    assert all(c.contiguous for c in plan.cells)
    assert all((c.reason is None) == c.in_band for c in plan.cells)
    again = draw_cells(town, [river(500)], band=BAND, options=options)
    assert Counter(c.buildings for c in again.cells) == Counter(c.buildings for c in plan.cells)
    faults = [f for f in shape_faults(plan, town) if "a hole" not in f]
    assert faults == []


def test_a_street_without_points_harms_nothing() -> None:
    town = grid_town(8, 6, seed=4)
    streets = [main_street(75, 300), Street("e", LineString(), "primary")]
    assert_whole(draw_cells(town, streets, band=BAND), town)
