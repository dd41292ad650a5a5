"""Edits of a draft: what is refused and why, what is written, undo and redo, who may."""

from collections.abc import Callable
from typing import Any

import pytest
import shapely
from shapely import from_wkb

from common.errors import BadInput, NotAllowed
from common.models import Audit
from common.unit_of_work import unit_of_work
from grids.places.models import Building, CellBuilding, CellPlan, CellShape, PlanEdit
from grids.places.plans import PlanChanged, WrongPlanState, publish_plan, start_draft
from grids.zoning import check, editing
from grids.zoning.editing import Edited
from realtime.models import Event
from tests.factories import NOW, BuildingFactory, MemberFactory, grant
from tests.zoning.factories import Village, a_draft, a_village


@pytest.fixture
def village(db: None) -> Village:
    return a_village()


@pytest.fixture
def draft(village: Village) -> CellPlan:
    return a_draft(village)


def run(
    village: Village, edit: Callable[..., Edited], who: str = "administrator", **how: Any
) -> Edited:
    actor = village.people[who]
    plan = CellPlan.objects.get(state="draft")
    how = {"plan_id": plan.pk, "version": plan.version, **how}
    with unit_of_work(actor, now=NOW):
        return edit(actor=actor, now=NOW, **how)


def move(village: Village, houses: list[int], to: int, **how: Any) -> Edited:
    return run(
        village, editing.move_buildings, buildings=houses, cell_id=village.cells[to].pk, **how
    )


def state(plan: CellPlan) -> tuple[dict[int, int], dict[int, bytes], dict[int, int]]:
    shapes = CellShape.objects.filter(plan=plan)
    return (
        dict(CellBuilding.objects.filter(plan=plan).values_list("building", "cell")),
        {shape.cell_id: bytes(shape.geometry) for shape in shapes},
        {shape.cell_id: shape.households for shape in shapes},
    )


def assert_sound(plan: CellPlan) -> None:
    """Every building lies in its cell's shape; shapes are valid, whole, and do not overlap."""
    shapes = {s.cell_id: from_wkb(bytes(s.geometry)) for s in CellShape.objects.filter(plan=plan)}
    for shape in shapes.values():
        assert shape.is_valid
        assert shape.geom_type == "Polygon"
        assert not shape.interiors
    assert check.overlap_m2(list(shapes.values())) < 0.1
    for row in CellBuilding.objects.filter(plan=plan).select_related("building"):
        point = shapely.Point(row.building.lon, row.building.lat)
        assert shapes[row.cell_id].intersects(point)


def test_buildings_move_to_the_next_cell(village: Village, draft: CellPlan) -> None:
    published = dict(Building.objects.values_list("pk", "cell"))
    _, borders, _ = state(draft)
    done = move(village, village.column(3)[:2], to=1, why="同一条巷子")
    members, now, households = state(draft)
    assert {members[b] for b in village.column(3)[:2]} == {village.cells[1].pk}
    assert [households[cell.pk] for cell in village.cells] == [140, 180, 160]
    assert_sound(draft)
    # What takes no part stays to the last corner; both others have a new border.
    changed = {cell for cell in now if now[cell] != borders[cell]}
    assert changed == {village.cells[0].pk, village.cells[1].pk} == set(done.cells)
    assert done.plan.version == 2
    assert done.warnings == []
    edit = PlanEdit.objects.get()
    assert (edit.number, edit.by, edit.why, edit.households) == (
        1, village.people["administrator"], "同一条巷子", 20,
    )  # fmt: skip
    assert Audit.objects.latest("pk").action == "plan.moved"
    event = Event.objects.filter(topic__name=f"community:{village.community.pk}").latest("seq")
    assert event.type == "cell.changed"
    assert event.data == {
        "plan": draft.pk,
        "cells": sorted(done.cells),
        "what": "moved",
        "version": 2,
        "state": "draft",
    }
    # The published plan has not moved.
    assert dict(Building.objects.values_list("pk", "cell")) == published


def test_what_would_be_cut_off_is_named(village: Village, draft: CellPlan) -> None:
    before = state(draft)
    with pytest.raises(editing.CutsApart) as refused:
        move(village, village.column(2), to=1)
    error = refused.value
    assert {row["cell"]: sorted(row["cut_off"]) for row in error.data["cells"]} == {
        village.cells[0].pk: village.column(3),
        village.cells[1].pk: village.column(2),
    }
    assert village.cells[0].code in str(error.detail)
    assert "文化路3-0号" in str(error.detail)
    assert "households: 40" in str(error.detail)
    assert state(draft) == before
    assert not PlanEdit.objects.exists()


def test_a_cell_far_away_cannot_take_a_building(village: Village, draft: CellPlan) -> None:
    with pytest.raises(editing.CutsApart) as refused:
        move(village, village.ids((0, 0)), to=2)
    assert refused.value.data["cells"] == [
        {"cell": village.cells[2].pk, "cut_off": village.ids((0, 0))}
    ]


def test_a_cell_keeps_at_least_one_building(village: Village, draft: CellPlan) -> None:
    houses = [b for column in range(4) for b in village.column(column)]
    with pytest.raises(editing.EmptiesCell):
        move(village, houses, to=1)


def test_leaving_the_band_is_allowed_and_said(village: Village, draft: CellPlan) -> None:
    done = move(village, village.column(3) + village.column(2), to=1)
    assert [(w["cell"], w["households"]) for w in done.warnings] == [
        (village.cells[0].pk, 80),
        (village.cells[1].pk, 240),
    ]
    assert "fewer than 100" in done.warnings[0]["text"]
    assert "more than 200" in done.warnings[1]["text"]
    measures = CellShape.objects.get(plan=draft, cell=village.cells[1]).measures
    assert measures["in_band"] is False


def test_undo_and_redo_go_along_the_stack_to_the_last_corner(
    village: Village, draft: CellPlan
) -> None:
    states = [state(draft)]
    for column in (3, 2):
        move(village, village.column(column), to=1)
        states.append(state(draft))
    run(village, editing.undo_edit)
    assert state(draft) == states[1]
    run(village, editing.undo_edit)
    assert state(draft) == states[0]
    with pytest.raises(editing.NothingToUndo):
        run(village, editing.undo_edit)
    run(village, editing.redo_edit)
    run(village, editing.redo_edit)
    assert state(draft) == states[2]
    with pytest.raises(editing.NothingToUndo):
        run(village, editing.redo_edit)
    draft.refresh_from_db()
    assert draft.version == 7
    whats = Event.objects.filter(data__plan=draft.pk).order_by("seq")
    assert [event.data["what"] for event in whats] == [
        "started", "moved", "moved", "undone", "undone", "redone", "redone",
    ]  # fmt: skip


def test_a_new_edit_ends_what_could_be_redone(village: Village, draft: CellPlan) -> None:
    move(village, village.column(3), to=1)
    run(village, editing.undo_edit)
    move(village, village.ids((4, 0)), to=0)
    with pytest.raises(editing.NothingToUndo):
        run(village, editing.redo_edit)
    assert list(PlanEdit.objects.order_by("number").values_list("state", flat=True)) == [
        "dropped",
        "done",
    ]


def test_a_drawn_line_becomes_the_border(village: Village, draft: CellPlan) -> None:
    # From south to north between columns 4 and 5: column 4 goes west.
    lon = 122.41 + 4.5 * 0.000375
    cells = (village.cells[0].pk, village.cells[1].pk)
    done = run(village, editing.redraw_border, cells=cells, line=[(lon, 37.1501), (lon, 37.1507)])
    members, _, households = state(draft)
    assert {members[b] for b in village.column(4)} == {village.cells[0].pk}
    assert {members[b] for b in village.column(5)} == {village.cells[1].pk}
    assert [households[cell.pk] for cell in village.cells] == [200, 120, 160]
    assert done.edit.kind == "border"
    assert_sound(draft)


def test_a_line_that_divides_nothing_changes_nothing(village: Village, draft: CellPlan) -> None:
    cells = (village.cells[0].pk, village.cells[1].pk)
    for line in ([(122.3, 37.0), (122.3, 37.1)], [(122.411, 37.15), (122.411, 37.15)]):
        with pytest.raises(editing.NothingMoves):
            run(village, editing.redraw_border, cells=cells, line=line)
    for bad in ({"cells": (cells[0], cells[0])}, {"line": [(122.41, 37.15)]}):
        with pytest.raises(BadInput):
            run(village, editing.redraw_border, **{"cells": cells, "line": [(1, 2), (3, 4)], **bad})


def test_who_edits_an_older_version_is_told(village: Village, draft: CellPlan) -> None:
    move(village, village.ids((3, 0)), to=1)
    with pytest.raises(PlanChanged) as refused:
        move(village, village.ids((3, 1)), to=1, version=1)
    assert refused.value.data == {"version": 2}
    with pytest.raises(PlanChanged):
        run(village, editing.undo_edit, version=1)


def test_a_captain_edits_the_border_of_the_own_cell_only(village: Village, draft: CellPlan) -> None:
    move(village, village.ids((3, 0)), to=1, who="captain")
    move(village, village.ids((4, 3)), to=0, who="captain")
    with pytest.raises(NotAllowed):
        move(village, village.column(7), to=2, who="captain")
    move(village, village.column(7), to=2)
    with pytest.raises(NotAllowed):
        run(village, editing.undo_edit, who="captain")
    with pytest.raises(NotAllowed):
        move(village, village.ids((3, 1)), to=1, who="member")
    village.people["elsewhere"] = MemberFactory()
    grant(village.people["elsewhere"], "captain", community=a_village("w").community)
    actor = village.people["elsewhere"]
    with pytest.raises(NotAllowed), unit_of_work(actor, now=NOW):
        editing.move_buildings(
            plan_id=draft.pk,
            version=CellPlan.objects.get(pk=draft.pk).version,
            buildings=village.ids((3, 1)),
            cell_id=village.cells[1].pk,
            actor=actor,
            now=NOW,
        )


def test_only_a_draft_is_edited(village: Village) -> None:
    published = CellPlan.objects.get(state="published")
    with pytest.raises(WrongPlanState), unit_of_work(None, now=NOW):
        editing.move_buildings(
            plan_id=published.pk,
            version=1,
            buildings=village.ids((3, 0)),
            cell_id=village.cells[1].pk,
            actor=None,
            now=NOW,
        )


def test_strange_buildings_and_cells_are_refused(village: Village, draft: CellPlan) -> None:
    other = a_village("w")
    for houses, cell in (
        ([], village.cells[1].pk),
        (other.ids((0, 0)), village.cells[1].pk),
        (village.ids((3, 0)), other.cells[0].pk),
    ):
        with pytest.raises(BadInput):
            run(
                village,
                editing.move_buildings,
                buildings=houses,
                cell_id=cell,
                plan_id=draft.pk,
                version=1,
            )
    with pytest.raises(editing.NothingMoves):
        run(
            village,
            editing.move_buildings,
            buildings=village.ids((0, 0)),
            cell_id=village.cells[0].pk,
            plan_id=draft.pk,
            version=1,
        )


def test_a_new_building_is_taken_into_a_cell_and_out_again(
    village: Village, draft: CellPlan
) -> None:
    before = state(draft)
    new = BuildingFactory(community=village.community, lat=37.15 - 0.0009, lon=122.41, dwellings=10)
    move(village, [new.pk], to=0)
    members, _, households = state(draft)
    assert members[new.pk] == village.cells[0].pk
    assert households[village.cells[0].pk] == 170
    assert_sound(draft)
    run(village, editing.undo_edit)
    assert state(draft) == before


def test_buildings_at_one_point_move_together(village: Village) -> None:
    house = village.house[3, 0]
    twin = BuildingFactory(
        community=village.community, lat=house.lat, lon=house.lon, dwellings=5, cell=house.cell
    )
    plan = a_draft(village)
    move(village, [house.pk], to=1)
    assert state(plan)[0][twin.pk] == village.cells[1].pk


def test_what_was_edited_is_what_is_published(village: Village, draft: CellPlan) -> None:
    move(village, village.column(3), to=1)
    with unit_of_work(None, now=NOW):
        publish_plan(plan=draft, now=NOW)
    for house in village.column(3):
        assert Building.objects.get(pk=house).cell == village.cells[1]
    with pytest.raises(WrongPlanState), unit_of_work(None, now=NOW):
        editing.undo_edit(plan_id=draft.pk, version=2, actor=None, now=NOW)
    # The next draft starts from there, with an empty stack.
    with unit_of_work(None, now=NOW):
        again = start_draft(community=village.community, actor=None, now=NOW)
    assert state(again)[0] == state(draft)[0]
    assert not again.edits.exists()
