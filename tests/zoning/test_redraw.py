"""Drawing again with least change, and checking moves by hand."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grids.zoning.check import each_once, shape_faults
from grids.zoning.draw import draw_cells
from grids.zoning.edit import Neighbours, check_move, diff, prepare
from grids.zoning.plan import CellKey
from grids.zoning.problem import Band, Building, BuildingId, Options, ProblemError
from grids.zoning.redraw import Redrawing, redraw

from .towns import grid_town, house

BAND = Band(300, 500)
Assignment = dict[BuildingId, CellKey]


@pytest.fixture(scope="module")
def town() -> list[Building]:
    return grid_town(24, 20, seed=4)


@pytest.fixture(scope="module")
def cells(town: list[Building]) -> Assignment:
    plan = draw_cells(town, band=BAND, seed=7)
    return {b: f"G{code:03d}" for b, code in plan.cell_of().items()}


def assert_sound(result: Redrawing, buildings: list[Building]) -> None:
    assert each_once(result.plan, buildings) == []
    assert shape_faults(result.plan, buildings) == []
    assert all(cell.contiguous for cell in result.plan.cells)


def test_nothing_changes_where_nothing_happened(town: list[Building], cells: Assignment) -> None:
    result = redraw(cells, town, band=BAND)
    assert result.cell_of() == cells
    assert result.changes.moved == ()
    assert result.changes.cells == ()
    assert_sound(result, town)


def test_a_new_house_joins_the_cell_around_it(town: list[Building], cells: Assignment) -> None:
    sizes = Counter(cells[b.id] for b in town for _ in range(b.dwellings))
    roomy = min(sizes, key=lambda key: sizes[key])
    near = next(b for b in town if cells[b.id] == roomy and int(str(b.id)) % 24 not in (0, 23))
    new = replace(near, id="new", lon=near.lon + 15 / 91_300, dwellings=3, footprint=None)
    result = redraw(cells, [*town, new], band=BAND)
    assert result.changes.households_moved == 0
    assert [(c.building, c.before) for c in result.changes.added] == [("new", None)]
    assert result.cell_of()["new"] in set(cells.values())


def test_a_cell_that_grew_gives_away_as_little_as_can_be(
    town: list[Building], cells: Assignment
) -> None:
    sizes = Counter(cells[b.id] for b in town for _ in range(b.dwellings))
    full = max(sizes, key=lambda key: sizes[key])
    grown = BAND.max + 40 - sizes[full]
    first = next(b for b in town if cells[b.id] == full)
    changed = [replace(b, dwellings=b.dwellings + grown) if b is first else b for b in town]
    result = redraw(cells, changed, band=BAND, seed=1)
    assert_sound(result, changed)
    assert all(cell.in_band for cell in result.plan.cells)
    assert set(result.changes.kept) == set(cells.values())
    assert 40 <= result.changes.households_moved <= 60
    fresh = draw_cells(changed, band=BAND, seed=7)
    fresh_cells = name_alike(cells, dict(fresh.cell_of()), changed)
    anew = diff(cells, fresh_cells, {b.id: b.dwellings for b in changed})
    assert anew.households_moved > 5 * result.changes.households_moved


def name_alike(before: Assignment, after: Assignment, town: list[Building]) -> Assignment:
    """Give each fresh cell the name of the old one it shares most households with."""
    shared = Counter((after[b.id], before[b.id]) for b in town for _ in range(b.dwellings))
    names: dict[CellKey, CellKey] = {}
    for (new, old), _ in shared.most_common():
        if new not in names and old not in names.values():
            names[new] = old
    return {b: names.get(c, ("fresh", c)) for b, c in after.items()}


def test_a_cell_that_shrank_is_helped_or_dissolved(town: list[Building], cells: Assignment) -> None:
    key = cells[town[200].id]
    mine = [b.id for b in town if cells[b.id] == key]
    gone = set(mine[: len(mine) // 3])
    rest = [b for b in town if b.id not in gone]
    result = redraw(cells, rest, band=BAND, seed=1)
    assert_sound(result, rest)
    assert all(cell.in_band for cell in result.plan.cells)
    assert {c.building for c in result.changes.removed} == gone
    assert result.changes.households_moved < 250


def test_a_new_quarter_becomes_new_cells(town: list[Building], cells: Assignment) -> None:
    quarter = grid_town(10, 8, seed=9, first=1000, x=24 * 30)
    result = redraw(cells, [*town, *quarter], band=BAND)
    assert_sound(result, [*town, *quarter])
    assert result.changes.households_moved == 0
    assert len(result.changes.new) == 2
    assert all(cell.in_band for cell in result.plan.cells)


def test_a_cell_taken_apart_keeps_its_largest_piece() -> None:
    row = [house(i, 40 * i, 0, 35) for i in range(30)]
    cells: Assignment = {b.id: "abc"[int(str(b.id)) // 10] for b in row}
    cells[15] = "a"
    result = redraw(cells, row, band=BAND)
    assert result.cell_of()[15] == "b"
    assert_sound(result, row)


def test_kept_cells_and_seeds_do_not_move(town: list[Building], cells: Assignment) -> None:
    sizes = Counter(cells[b.id] for b in town for _ in range(b.dwellings))
    full = max(sizes, key=lambda key: sizes[key])
    mine = [b for b in town if cells[b.id] == full]
    grown = BAND.max + 40 - sizes[full]
    changed = [replace(b, dwellings=b.dwellings + grown) if b is mine[0] else b for b in town]
    result = redraw(cells, changed, band=BAND, keep=[full])
    assert result.changes.moved == ()
    free = redraw(cells, changed, band=BAND)
    left = [c.building for c in free.changes.moved]
    held = redraw(cells, changed, band=BAND, options=Options(seeds=tuple(left)))
    assert not set(left) & {c.building for c in held.changes.moved}
    assert all(cell.in_band for cell in held.plan.cells)


def test_an_assignment_by_hand_is_drawn_as_it_is(town: list[Building], cells: Assignment) -> None:
    sizes = Counter(cells[b.id] for b in town for _ in range(b.dwellings))
    changed = [replace(b, dwellings=b.dwellings * 2) for b in town]
    result = redraw(cells, changed, band=BAND, repair=False)
    assert result.cell_of() == cells
    assert {c.key: c.households for c in result.plan.cells} == {k: 2 * n for k, n in sizes.items()}


def test_the_same_seed_redraws_the_same(town: list[Building], cells: Assignment) -> None:
    rest = town[60:]
    assert redraw(cells, rest, seed=3).cell_of() == redraw(cells, rest, seed=3).cell_of()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 40), st.integers(0, 2**30), st.sampled_from([60.0, 300.0, 3000.0]))
def test_any_scatter_and_any_past_is_redrawn(count: int, seed: int, spread: float) -> None:
    rng = random.Random(seed)
    town = [
        house(
            i,
            rng.uniform(0, spread),
            rng.uniform(0, spread),
            rng.choice([0, rng.randint(0, 200), 700]),
            size=rng.choice([None, 8.0, 25.0]),
        )
        for i in range(count)
    ]
    past: Assignment = {i: rng.randint(1, 4) for i in range(50) if rng.random() < 0.8}
    result = redraw(past, town, band=BAND, seed=seed, options=Options(effort=0.2))
    assert each_once(result.plan, town) == []
    assert all(cell.contiguous for cell in result.plan.cells)
    households = {cell.key: cell.households for cell in result.plan.cells}
    assert sum(households.values()) == sum(b.dwellings for b in town)


# Moves by hand.


@pytest.fixture(scope="module")
def row() -> list[Building]:
    return [house(i, 40 * i, 0, 50) for i in range(24)]


@pytest.fixture(scope="module")
def in_row(row: list[Building]) -> Assignment:
    return {b.id: "abc"[int(str(b.id)) // 8] for b in row}


def test_a_move_is_checked_for_contiguity_and_band(row: list[Building], in_row: Assignment) -> None:
    near = prepare(row, band=BAND)
    fine = check_move(near, in_row, {7: "b"}, band=BAND)
    assert fine.allowed
    assert [(e.key, e.households_before, e.households, e.excess) for e in fine.cells] == [
        ("a", 400, 350, 0),
        ("b", 400, 450, 0),
    ]
    assert fine.households_moved == 50
    far = check_move(near, in_row, {7: "b", 6: "b", 5: "b"}, band=BAND)
    assert far.allowed
    assert set(far.leaving) == {"a", "b"}
    assert {e.key: e.excess for e in far.cells} == {"a": -50, "b": 50}
    torn = check_move(near, in_row, {4: "b"}, band=BAND)
    assert not torn.allowed
    assert set(torn.broken) == {"a", "b"}
    assert {e.key: set(e.stranded) for e in torn.cells} == {"a": {5, 6, 7}, "b": {4}}
    assert check_move(near, in_row, {}, band=BAND).cells == ()
    assert check_move(near, in_row, {7: "a"}, band=BAND).buildings_moved == 0
    with pytest.raises(ProblemError, match="'x' is not among"):
        check_move(near, in_row, {"x": "a"})


def test_locks_seeds_and_emptied_cells_are_told(row: list[Building], in_row: Assignment) -> None:
    near = prepare(row, band=BAND)
    check = check_move(near, in_row, {7: "b"}, locked=["b"], seeds=[7])
    assert not check.allowed
    assert check.locked == ("b",)
    assert check.uprooted == (7,)
    all_of_a = check_move(near, in_row, dict.fromkeys(range(8), "b"))
    assert all_of_a.emptied == ("a",)
    assert all_of_a.allowed
    new = check_move(near, in_row, dict.fromkeys(range(7), "z"))
    assert {e.key: (e.households_before, e.households) for e in new.cells} == {
        "a": (400, 50),
        "z": (0, 350),
    }


def test_a_broken_cell_may_be_mended(row: list[Building], in_row: Assignment) -> None:
    near = prepare(row, band=BAND)
    torn = {**in_row, 4: "b"}
    assert check_move(near, torn, {4: "a"}).allowed
    assert not check_move(near, torn, {2: "b"}).allowed


def test_buildings_at_one_point_move_together(row: list[Building], in_row: Assignment) -> None:
    town = [*row, replace(row[7], id=99, footprint=None)]
    cells = {**in_row, 99: "a"}
    near = prepare(town, band=BAND)
    alone = check_move(near, cells, {99: "b"})
    assert (alone.parted, alone.allowed) == ((7,), False)
    assert check_move(near, cells, {99: "b", 7: "b"}).allowed


def test_neighbours_go_through_json(town: list[Building], cells: Assignment) -> None:
    near = prepare(town, band=BAND)
    again = Neighbours.from_dict(json.loads(json.dumps(near.as_dict())))
    assert again == near
    with pytest.raises(ProblemError, match="format"):
        Neighbours.from_dict({"format": 0})


def test_a_drawing_hangs_together_on_the_prepared_graph(
    town: list[Building], cells: Assignment
) -> None:
    hamlet = grid_town(3, 3, seed=5, first=1000, x=24 * 30 + 250)
    everything = [*town, *hamlet]
    plan = draw_cells(everything, band=BAND)
    near = prepare(everything, band=BAND)
    drawn: Assignment = dict(plan.cell_of())
    check = check_move(near, {}, drawn, band=BAND)
    assert {e.pieces for e in check.cells} == {1}
    assert {e.key: e.households for e in check.cells} == {c.code: c.households for c in plan.cells}


def test_a_difference_adds_up() -> None:
    change = diff({1: "a", 2: "a", 3: "b"}, {1: "a", 2: "b", 4: "c"}, {1: 5, 2: 6, 3: 7, 4: 8})
    assert [(c.building, c.before, c.after) for c in change.moved] == [(2, "a", "b")]
    assert (change.households_moved, change.buildings_moved) == (6, 1)
    assert (change.kept, change.new, change.retired) == (("a", "b"), ("c",), ())
    rows = {c.key: (c.households_before, c.households, c.came, c.left) for c in change.cells}
    assert rows == {"a": (11, 5, 0, 6), "b": (7, 6, 6, 0), "c": (0, 8, 0, 0)}
    assert {c.key: (c.built, c.gone) for c in change.cells}["b"] == (0, 7)
