"""Point in cell: right at borders, right after a change, right with nothing drawn."""

from datetime import timedelta

import numpy as np
import pytest
from shapely import box, from_wkb

from common.unit_of_work import unit_of_work
from grids.places import index, plans
from grids.places.models import Building, Cell, CellPlan
from grids.places.queries import neighbouring_cells
from realtime.models import Event
from tests.factories import NOW, Town


@pytest.fixture(autouse=True)
def fresh_index() -> None:
    index.forget()


def test_a_point_finds_its_cell(town: Town) -> None:
    assert index.locate(lat=37.155, lon=122.415) == town.cells[0].pk
    assert index.locate(lat=37.155, lon=122.425) == town.cells[1].pk
    assert index.locate(lat=37.2, lon=122.415) is None


def test_a_point_on_the_shared_border_is_in_one_cell(town: Town) -> None:
    assert index.locate(lat=37.155, lon=122.42) == town.cells[0].pk


@pytest.mark.django_db
def test_without_cells_nothing_is_found() -> None:
    found = index.locate_many(lats=np.array([1.0]), lons=np.array([2.0]))
    assert found.tolist() == [-1]


def draw(town: Town, east: float) -> CellPlan:
    """Redraw: one cell only, reaching from 122.41 to `east`."""
    with unit_of_work():
        return plans.save_plan(
            community=town.community,
            cells=[
                plans.DrawnCell(
                    code=town.cells[0].code,
                    households=700,
                    buildings=[building.pk for building in town.buildings],
                    geometry=box(122.41, 37.15, east, 37.16),
                    measures={},
                )
            ],
            measures={},
            seed=1,
            now=NOW,
        )


def test_a_building_that_no_cell_takes_in_has_none(town: Town) -> None:
    left_out = town.buildings.pop(0)
    assert left_out.cell == town.cells[0]
    plan = draw(town, east=122.42)
    with unit_of_work():
        plans.publish_plan(plan=plan, now=NOW)
    left_out.refresh_from_db()
    assert left_out.cell is None
    assert set(Building.objects.filter(cell=town.cells[0])) == set(town.buildings)


def test_a_draft_changes_nothing_and_publishing_does(
    town: Town, django_capture_on_commit_callbacks: object
) -> None:
    plan = draw(town, 122.43)
    assert index.locate(lat=37.155, lon=122.425) == town.cells[1].pk
    with django_capture_on_commit_callbacks(execute=True), unit_of_work():  # type: ignore[operator]
        plans.publish_plan(plan=plan, now=NOW + timedelta(days=1))
    assert index.locate(lat=37.155, lon=122.425) == town.cells[0].pk
    assert set(Building.objects.values_list("cell", flat=True)) == {town.cells[0].pk}
    retired = Cell.objects.get(pk=town.cells[1].pk)
    assert retired.retired_at == NOW + timedelta(days=1)
    states = CellPlan.objects.filter(community=town.community).values_list("state", flat=True)
    assert sorted(states) == ["past", "published"]
    event = Event.objects.filter(topic__name=f"community:{town.community.pk}").latest("seq")
    assert (event.type, event.data["what"]) == ("cell.changed", "published")
    assert event.data["cells"] == [town.cells[0].pk]


def test_neighbours_share_a_border(town: Town) -> None:
    first, second = (cell.pk for cell in town.cells)
    assert neighbouring_cells([town.community]) == {first: {second}, second: {first}}


def test_shapes_are_stored_as_wkb(town: Town) -> None:
    plan = draw(town, 122.43)
    assert from_wkb(bytes(plan.shapes.get().geometry)).bounds == (122.41, 37.15, 122.43, 37.16)
