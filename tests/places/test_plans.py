"""Plans of cells: a draft beside the published one, publishing at a date, each step undone."""

from datetime import timedelta
from typing import Any

import pytest
from shapely import box, to_wkb

from common.errors import DomainError, NotAllowed
from common.models import Audit
from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.places import plans
from grids.places.models import Building, CellBuilding, CellPlan, CellShape, PlanStep
from realtime.models import Event
from tests.factories import NOW, MemberFactory, RoleFactory, Town, a_community, grant

LATER = NOW + timedelta(days=2)


@pytest.fixture
def administrator(town: Town) -> Member:
    member = MemberFactory(community=town.community)
    grant(member, "administrator", community=town.community)
    return member


def start(town: Town, actor: Any = None) -> CellPlan:
    with unit_of_work(actor, now=NOW):
        return plans.start_draft(community=town.community, actor=actor, now=NOW)


def give_all_to_first(town: Town, plan: CellPlan) -> None:
    """Change the draft as an edit would: the first cell takes the second one's building."""
    CellBuilding.objects.filter(plan=plan).update(cell=town.cells[0])
    CellShape.objects.filter(plan=plan, cell=town.cells[1]).delete()
    CellShape.objects.filter(plan=plan).update(geometry=to_wkb(box(122.41, 37.15, 122.43, 37.16)))


def published(town: Town) -> CellPlan:
    return CellPlan.objects.get(community=town.community, state="published")


def where(town: Town) -> list[int | None]:
    return list(
        Building.objects.filter(community=town.community)
        .order_by("pk")
        .values_list("cell", flat=True)
    )


def test_a_draft_starts_as_a_copy_and_changes_nothing(town: Town) -> None:
    before = published(town)
    plan = start(town)
    assert plan.state == "draft"
    shapes = {s.cell_id: bytes(s.geometry) for s in CellShape.objects.filter(plan=plan)}
    assert shapes == {s.cell_id: bytes(s.geometry) for s in CellShape.objects.filter(plan=before)}
    placed = CellBuilding.objects.filter(plan=plan).values_list("building", "cell")
    assert dict(placed) == {b.pk: b.cell_id for b in town.buildings}
    assert published(town) == before
    # Counted from the buildings as they are now, not copied.
    assert set(CellShape.objects.filter(plan=plan).values_list("households", flat=True)) == {20}


def test_there_is_one_draft(town: Town) -> None:
    first = start(town)
    with pytest.raises(plans.DraftExists) as refused, unit_of_work(None, now=NOW):
        plans.start_draft(community=town.community, actor=None, now=NOW)
    assert refused.value.data == {"plan": first.pk}


def test_a_new_drawing_puts_the_draft_away_where_it_can_be_restored(town: Town) -> None:
    old = start(town)
    cell = plans.DrawnCell(
        code=town.cells[0].code,
        households=40,
        buildings=[b.pk for b in town.buildings],
        geometry=box(122.41, 37.15, 122.43, 37.16),
        measures={},
    )
    with unit_of_work(None, now=NOW):
        new = plans.save_plan(community=town.community, cells=[cell], measures={}, seed=1, now=NOW)
    old.refresh_from_db()
    assert (old.state, new.state) == ("discarded", "draft")
    with pytest.raises(plans.DraftExists), unit_of_work(None, now=NOW):
        plans.undo_plan(plan=old, actor=None, now=NOW)
    with unit_of_work(None, now=NOW):
        plans.discard_plan(plan=new, actor=None, now=NOW)
    with unit_of_work(None, now=NOW):
        assert plans.undo_plan(plan=old, actor=None, now=NOW).state == "draft"


def test_publishing_and_undoing_it_bring_everything_back(town: Town, administrator: Member) -> None:
    first = published(town)
    homes = where(town)
    plan = start(town)
    give_all_to_first(town, plan)
    grant(town.volunteers[0], "captain", cell=town.cells[1])
    with unit_of_work(administrator, now=NOW):
        plans.publish_plan(plan=plan, now=NOW, actor=administrator, why="新楼入住")
    assert published(town) == plan
    assert where(town) == [town.cells[0].pk] * 2
    town.cells[1].refresh_from_db()
    assert town.cells[1].retired_at == NOW
    # Undoing: the old plan again, the cell is back with its code and captain, the draft is kept.
    with unit_of_work(administrator, now=LATER):
        back = plans.undo_plan(plan=plan, actor=administrator, now=LATER, why="搬迁推迟")
    assert back == first == published(town)
    assert where(town) == homes
    town.cells[1].refresh_from_db()
    assert town.cells[1].retired_at is None
    assert town.volunteers[0].roles.get().cell == town.cells[1]
    plan.refresh_from_db()
    assert plan.state == "draft"
    steps = PlanStep.objects.filter(community=town.community).order_by("pk")
    assert [(s.kind, s.plan_id, s.by, s.why) for s in steps] == [
        ("started", plan.pk, None, ""),
        ("published", plan.pk, administrator, "新楼入住"),
        ("reverted", first.pk, administrator, "搬迁推迟"),
    ]
    assert list(Audit.objects.order_by("pk").values_list("action", flat=True)) == [
        "plan.started",
        "plan.published",
        "plan.reverted",
    ]
    # And what was undone can be published again.
    with unit_of_work(administrator, now=LATER):
        plans.publish_plan(plan=plan, now=LATER, actor=administrator)
    assert where(town) == [town.cells[0].pk] * 2


def test_the_first_plan_has_nothing_before_it(town: Town) -> None:
    with pytest.raises(plans.NothingBefore), unit_of_work(None, now=NOW):
        plans.undo_plan(plan=published(town), actor=None, now=NOW)


def test_an_undone_plan_is_past_where_there_is_another_draft(town: Town) -> None:
    plan = start(town)
    with unit_of_work(None, now=NOW):
        plans.publish_plan(plan=plan, now=NOW)
    other = start(town)
    with unit_of_work(None, now=NOW):
        plans.undo_plan(plan=plan, actor=None, now=NOW)
    plan.refresh_from_db()
    other.refresh_from_db()
    assert (plan.state, other.state) == ("past", "draft")


def test_only_the_version_that_was_seen_is_published(town: Town) -> None:
    plan = start(town)
    CellPlan.objects.filter(pk=plan.pk).update(version=4)
    with pytest.raises(plans.PlanChanged) as refused, unit_of_work(None, now=NOW):
        plans.publish_plan(plan=plan, now=NOW, version=3)
    assert refused.value.data == {"version": 4}
    with unit_of_work(None, now=NOW):
        plans.publish_plan(plan=plan, now=NOW, version=4)


@pytest.mark.parametrize("step", [plans.publish_plan, plans.discard_plan])
def test_only_a_draft_is_published_or_discarded(town: Town, step: Any) -> None:
    with pytest.raises(plans.WrongPlanState), unit_of_work(None, now=NOW):
        step(plan=published(town), actor=None, now=NOW)


def test_a_plan_is_published_when_its_date_comes(town: Town, administrator: Member) -> None:
    plan = start(town)
    give_all_to_first(town, plan)
    with unit_of_work(administrator, now=NOW):
        plans.schedule_plan(plan=plan, at=LATER, actor=administrator, now=NOW)
    plans.publish_due(LATER - timedelta(seconds=1))
    assert published(town) != plan
    plans.publish_due(LATER)
    assert published(town) == plan
    plan.refresh_from_db()
    assert (plan.published_at, plan.publish_at) == (LATER, None)
    step = PlanStep.objects.get(plan=plan, kind="published")
    assert step.by == administrator
    # A second run finds nothing more to do.
    plans.publish_due(LATER + timedelta(minutes=1))
    assert PlanStep.objects.filter(kind="published").count() == 1


def test_a_date_is_taken_back_and_a_past_one_refused(town: Town) -> None:
    plan = start(town)
    with unit_of_work(None, now=NOW):
        plans.schedule_plan(plan=plan, at=LATER, actor=None, now=NOW)
    with unit_of_work(None, now=NOW):
        plans.schedule_plan(plan=plan, at=None, actor=None, now=NOW)
    plans.publish_due(LATER)
    assert published(town) != plan
    with pytest.raises(DomainError) as refused, unit_of_work(None, now=NOW):
        plans.schedule_plan(plan=plan, at=NOW, actor=None, now=NOW)
    assert refused.value.status == 400


def test_a_discarded_draft_is_not_published_at_its_date(town: Town) -> None:
    plan = start(town)
    with unit_of_work(None, now=NOW):
        plans.schedule_plan(plan=plan, at=LATER, actor=None, now=NOW)
    with unit_of_work(None, now=NOW):
        plans.discard_plan(plan=plan, actor=None, now=NOW)
    plans.publish_due(LATER)
    assert published(town) != plan


def test_followers_hear_of_every_step(town: Town) -> None:
    plan = start(town)
    with unit_of_work(None, now=NOW):
        plans.publish_plan(plan=plan, now=NOW)
    with unit_of_work(None, now=NOW):
        plans.undo_plan(plan=plan, actor=None, now=NOW)
    heard = Event.objects.filter(topic__name=f"community:{town.community.pk}").order_by("seq")
    assert [(e.data["what"], e.data["state"]) for e in heard] == [
        ("started", "draft"),
        ("published", "published"),
        ("reverted", "published"),
    ]
    assert set(heard[1].data["cells"]) == {cell.pk for cell in town.cells}


def test_who_may_do_what(town: Town, administrator: Member) -> None:
    cell_captain = town.volunteers[0]
    RoleFactory(member=cell_captain, cell=town.cells[0])
    for outsider in (town.volunteers[1], a_community().captain):
        with pytest.raises(NotAllowed):
            start(town, outsider)
    plan = start(town, cell_captain)
    for actor in (cell_captain, town.captain, town.volunteers[1]):
        for step in (plans.publish_plan, plans.discard_plan):
            with pytest.raises(NotAllowed), unit_of_work(actor, now=NOW):
                step(plan=plan, actor=actor, now=NOW)
        with pytest.raises(NotAllowed), unit_of_work(actor, now=NOW):
            plans.schedule_plan(plan=plan, at=LATER, actor=actor, now=NOW)
        with pytest.raises(NotAllowed), unit_of_work(actor, now=NOW):
            plans.undo_plan(plan=published(town), actor=actor, now=NOW)
    with unit_of_work(administrator, now=NOW):
        plans.publish_plan(plan=plan, actor=administrator, now=NOW)
