"""Whole drawings of synthetic towns."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grids.zoning.check import contiguous, each_once, households, polsby_popper, shape_faults
from grids.zoning.draw import draw_cells
from grids.zoning.fabric import weave
from grids.zoning.plan import CellPlan, Reason
from grids.zoning.problem import Band, Building, Options, ProblemError

from .towns import grid_town, house, main_street

BAND = Band(300, 500)


def assert_sound(plan: CellPlan, buildings: list[Building], *, holes_allowed: bool = False) -> None:
    """Check what every drawing owes; houses thrown on each other may leave no way out of a hole."""
    assert each_once(plan, buildings) == []
    dwellings = {b.id: b.dwellings for b in buildings}
    for cell in plan.cells:
        assert cell.households == households(cell.buildings, dwellings)
        assert cell.in_band == plan.band.holds(cell.households)
        assert (cell.reason is None) == cell.in_band
        assert cell.in_band or cell.detail
        assert cell.contiguous
        assert cell.polsby_popper == pytest.approx(polsby_popper(cell.polygon), rel=0.01)
    faults = shape_faults(plan, buildings)
    if holes_allowed:
        faults = [f for f in faults if "a hole" not in f]
    assert faults == []


@pytest.fixture(scope="module")
def town() -> list[Building]:
    return grid_town(24, 20, seed=4)


@pytest.fixture(scope="module")
def plan(town: list[Building]) -> CellPlan:
    return draw_cells(town, [main_street(285, 800)], band=BAND, seed=7)


def test_a_town_is_cut_into_cells_in_the_band(plan: CellPlan, town: list[Building]) -> None:
    assert_sound(plan, town)
    assert plan.measures.share_in_band_all == 1.0
    assert plan.measures.cells == pytest.approx(plan.measures.households / 400, abs=2)
    assert plan.measures.mean_polsby_popper > 0.5
    assert all(c.polygon.geom_type == "Polygon" and not c.polygon.interiors for c in plan.cells)


def test_cells_hang_together_on_the_neighbour_graph(plan: CellPlan, town: list[Building]) -> None:
    fabric = weave(town, [], Options())
    edges = [
        (town[fabric.of_unit[a][0]].id, town[fabric.of_unit[b][0]].id)
        for a, b in fabric.pairs.tolist()
    ]
    assert all(contiguous(cell.buildings, edges) for cell in plan.cells)


def test_the_same_seed_gives_the_same_map(plan: CellPlan, town: list[Building]) -> None:
    again = draw_cells(town, [main_street(285, 800)], band=BAND, seed=7)
    assert [c.buildings for c in again.cells] == [c.buildings for c in plan.cells]
    assert [c.polygon.wkb for c in again.cells] == [c.polygon.wkb for c in plan.cells]


def test_borders_prefer_a_main_street() -> None:
    town = grid_town(10, 8, seed=2)
    half = 105.0
    plan = draw_cells(town, [main_street(half, 400)], band=BAND, seed=1)
    cell_of = plan.cell_of()
    south = {cell_of[b.id] for b in town if (b.lat - 34.8) * 111_195 < half}
    north = {cell_of[b.id] for b in town if (b.lat - 34.8) * 111_195 > half}
    assert plan.measures.cells == 2
    assert south.isdisjoint(north)


def test_a_far_hamlet_is_reported_with_its_reason() -> None:
    town = grid_town(10, 8, seed=3)
    hamlet = grid_town(3, 3, seed=5, first=1000, x=3000)
    plan = draw_cells([*town, *hamlet], band=BAND)
    assert_sound(plan, [*town, *hamlet])
    outside = [c for c in plan.cells if not c.in_band]
    assert [c.reason for c in outside] == [Reason.HAMLET]
    assert set(outside[0].buildings) == {b.id for b in hamlet}
    assert "m away" in outside[0].detail
    assert plan.measures.share_in_band == 1.0


def test_a_near_hamlet_is_joined_over_the_gap() -> None:
    town = grid_town(10, 8, seed=3)
    hamlet = grid_town(3, 3, seed=5, first=1000, x=270 + 250)
    plan = draw_cells([*town, *hamlet], band=BAND)
    assert_sound(plan, [*town, *hamlet])
    assert plan.measures.share_in_band_all == 1.0
    joined = next(c for c in plan.cells if 1000 in c.buildings)
    assert any("gap" in warning for warning in joined.warnings)
    assert joined.polygon.geom_type == "Polygon"


def test_a_block_above_the_band_stands_alone_with_its_reason() -> None:
    town = [b for b in grid_town(12, 9, seed=3) if b.id != 40]
    block = house(40, 4 * 30, 3 * 30, 700)
    plan = draw_cells([*town, block], band=BAND)
    assert_sound(plan, [*town, block])
    outside = [c for c in plan.cells if not c.in_band]
    assert [(c.reason, c.buildings) for c in outside] == [(Reason.BLOCK, (40,))]
    assert shape_faults(plan, [*town, block]) == []


def test_a_part_of_town_that_no_number_of_cells_fits_is_reported() -> None:
    town = [house(i, 30 * i, 0, 55) for i in range(10)]
    plan = draw_cells(town, band=BAND)
    assert_sound(plan, town)
    assert {c.reason for c in plan.cells if not c.in_band} == {Reason.TOWN_PART}


def test_households_behind_one_big_building_are_proven_infeasible() -> None:
    tail = [house(i, 60 * i, 0, 40) for i in range(5)]
    town = grid_town(12, 8, seed=3, first=100, x=410)
    buildings = [*tail, house(50, 320, 0, 400, size=40.0), *town]
    plan = draw_cells(buildings, band=BAND)
    assert_sound(plan, buildings)
    assert [c.reason for c in plan.cells if not c.in_band] == [Reason.PINCHED]


def test_garages_far_and_near_go_to_a_cell() -> None:
    town = grid_town(10, 4, seed=3)
    garages = [house(900, 135, 45, 0), house(901, 2500, 0, 0), house(902, 2530, 0, 0)]
    plan = draw_cells([*town, *garages], band=BAND)
    assert_sound(plan, [*town, *garages])
    assert all(c.households > 0 for c in plan.cells)


def test_locked_cells_stay() -> None:
    town = grid_town(12, 10, seed=6)
    keep = frozenset(b.id for b in town[:30])
    plan = draw_cells(town, band=BAND, options=Options(locked=(keep,)))
    assert_sound(plan, town)
    assert keep in {frozenset(c.buildings) for c in plan.cells}


def test_empty_single_and_duplicate_input() -> None:
    assert draw_cells([]).cells == ()
    one = [house(1, 0, 0, 350, size=None)]
    assert [c.in_band for c in draw_cells(one).cells] == [True]
    many = [house(i, 0, 0, 40, size=None) for i in range(9)]
    plan = draw_cells(many)
    assert_sound(plan, many)
    assert len(plan.cells) == 1
    nobody = [house(i, 40 * i, 0, 0) for i in range(3)]
    assert_sound(draw_cells(nobody), nobody)


def test_houses_in_a_straight_line() -> None:
    town = [house(i, 25 * i, 0, 20, size=None) for i in range(80)]
    plan = draw_cells(town, band=BAND)
    assert_sound(plan, town)
    assert plan.measures.share_in_band_all == 1.0


def test_input_without_meaning_is_refused_by_name() -> None:
    with pytest.raises(ProblemError, match="building 1 is given twice"):
        draw_cells([house(1, 0, 0), house(1, 50, 0)])
    with pytest.raises(ProblemError, match="'x': no such place"):
        draw_cells([Building("x", 3, float("nan"), 34.0)])
    with pytest.raises(ProblemError, match="-3 dwellings"):
        draw_cells([house(1, 0, 0, -3)])
    with pytest.raises(ProblemError, match="locked"):
        draw_cells([house(1, 0, 0)], options=Options(locked=(frozenset([5]),)))
    with pytest.raises(ProblemError, match="min"):
        Band(500, 300)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 40),
    st.integers(0, 2**30),
    st.sampled_from([60.0, 300.0, 3000.0]),
    st.sampled_from([5, 60, 650]),
)
def test_any_scatter_of_houses_gives_a_sound_plan(
    count: int, seed: int, spread: float, heaviest: int
) -> None:
    rng = random.Random(seed)
    town = [
        house(
            i,
            rng.uniform(0, spread),
            rng.uniform(0, spread),
            rng.choice([0, rng.randint(0, heaviest)]),
            size=rng.choice([None, 8.0, 25.0]),
        )
        for i in range(count)
    ]
    plan = draw_cells(town, band=BAND, seed=seed, options=Options(effort=0.3))
    assert_sound(plan, town, holes_allowed=True)
    assert draw_cells(town, band=BAND, seed=seed, options=Options(effort=0.3)).cells == plan.cells
