"""Borders after edits by hand stay clean over hundreds of moves; identity follows households."""

import random
from collections import defaultdict

import shapely

from grids.zoning import borders, check
from grids.zoning.draw import draw_cells
from grids.zoning.edit import check_move
from grids.zoning.identity import match
from grids.zoning.problem import Band
from tests.zoning.towns import grid_town


def test_a_hundred_moves_leave_clean_borders() -> None:
    buildings = grid_town(20, 20)
    plan = draw_cells(buildings, band=Band(300, 500), seed=3)
    land = borders.ground(buildings, band=Band(300, 500))
    shapes = {cell.code: cell.polygon for cell in plan.cells}
    cell_of = dict(plan.cell_of())
    covered = shapely.union_all(list(shapes.values())).area
    around = defaultdict(set)
    for a, b in land.fabric.pairs.tolist():
        around[a].add(b)
        around[b].add(a)
    chance = random.Random(5)
    moved = 0
    while moved < 100:
        one = chance.choice(buildings).id
        near = {cell_of[land.members[u][0]] for u in around[land.unit[one]]} - {cell_of[one]}
        if not near:
            continue
        old, new = cell_of[one], min(near)
        answer = check_move(land.neighbours, cell_of, {one: new})
        if not answer.allowed or answer.emptied:
            continue
        cell_of[one] = new
        taking_part = {key: [b for b, cell in cell_of.items() if cell == key] for key in (old, new)}
        drawn = borders.reshape(land, taking_part, shapes)
        assert set(drawn) == {old, new}
        shapes |= drawn
        moved += 1
    for shape in shapes.values():
        assert shape.is_valid
        assert not any(part.interiors for part in shapely.get_parts(shape))
    # A neighbour's smoothed border may lie between a cell and its newest building.
    parts = [len(shapely.get_parts(shape)) for shape in shapes.values()]
    assert sum(count > 1 for count in parts) <= len(parts) / 4
    for building in buildings:
        point = shapely.Point(building.lon, building.lat)
        assert shapes[cell_of[building.id]].intersects(point)
    # Nothing is covered twice, nothing lost.
    assert check.overlap_m2(list(shapes.values())) < 1
    assert abs(shapely.union_all(list(shapes.values())).area / covered - 1) < 1e-5


def test_a_line_gives_each_side_to_the_cell_that_has_most_there() -> None:
    buildings = grid_town(6, 2)
    land = borders.ground(buildings)
    cells = {b.id: int(b.id) % 6 // 3 for b in buildings}
    shapes = {key: shapely.box(113.4 + key, 34.7, 113.5 + key, 34.9) for key in (0, 1)}
    dwellings = {b.id: b.dwellings for b in buildings}
    lon = (buildings[1].lon + buildings[2].lon) / 2
    found = borders.sides(land, [(lon, 34.7999), (lon, 34.8004)], 0, 1, cells, shapes, dwellings)
    assert {b: cell for b, cell in found.items() if cell == 0}.keys() == {0, 1, 6, 7}
    # A line outside of both parts nothing.
    away = [(113.0, 34.0), (113.0, 34.1)]
    assert borders.sides(land, away, 0, 1, cells, shapes, dwellings) == cells


def test_identity_follows_most_households() -> None:
    previous = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c"}
    drawn = [[3, 4, 2], [1], [6], [5]]
    assert match(previous, drawn, {1: 10, 2: 50, 3: 40, 4: 40, 5: 0}) == ["b", "a", None, "c"]
    # A cell cut in two goes on in the larger half.
    assert match({1: "a", 2: "a"}, [[1], [2]], {1: 10, 2: 30}) == [None, "a"]
