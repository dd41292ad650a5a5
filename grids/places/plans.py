"""Plans of cells: a draft beside the published one, publishing, and taking each step back.

A community has at most one draft. Cells keep their identity through all of this: only their
buildings and borders are of a plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _
from shapely import Geometry, to_wkb

from common import jobs
from common.errors import BadInput, DomainError, NotFound
from common.unit_of_work import current
from grids.places import index, rules
from grids.places.events import CellsChanged
from grids.places.models import (
    Building,
    Cell,
    CellBuilding,
    CellPlan,
    CellShape,
    Community,
    PlanStep,
)
from realtime.events import record

State = CellPlan.State
Kind = PlanStep.Kind
BATCH = 1000


@dataclass(frozen=True)
class DrawnCell:
    """One cell as drawn: its buildings (ids) and border (WGS84)."""

    code: str
    households: int
    buildings: Sequence[int]
    geometry: Geometry
    measures: dict[str, Any]


class NothingToDraw(DomainError):
    """The community has no buildings yet."""

    code = "no_buildings"
    detail = _("This community has no buildings yet. Import them first.")


class NothingPublished(DomainError):
    """A draft starts from the published plan, and there is none."""

    code = "nothing_published"
    detail = _("This community has no published cells yet. Draw them first.")


class DraftExists(DomainError):
    """The community has its one draft already; `plan` is its id."""

    code = "draft_exists"
    detail = _("This community has a draft already. Publish or discard it first.")


class PlanChanged(DomainError):
    """Somebody else changed the draft; `version` is the one to look at now."""

    code = "plan_changed"
    detail = _("Somebody else has just changed this draft. Look at it again, then repeat yours.")


class WrongPlanState(DomainError):
    """This step isn't possible from the plan's state."""

    code = "wrong_state"
    status = HTTPStatus.CONFLICT
    detail = _("This can't be done with this plan now.")


class NothingBefore(DomainError):
    """Nothing was published before this plan."""

    code = "nothing_before"
    detail = _("No plan was published before this one: there is nothing to go back to.")


def save_plan(
    *,
    community: Community,
    cells: Sequence[DrawnCell],
    measures: Any,
    seed: int,
    now: datetime,
    actor: Any = None,
    kind: str = Kind.DRAWN,
    why: str = "",
) -> CellPlan:
    """Keep a drawing as the draft; the draft before is discarded, and can be restored.

    Cells known by code keep their identity. `actor` None is the system. Raises NotAllowed,
    NothingToDraw.
    """
    work = current()
    rules.require_may_change(actor, community)
    if not cells:
        raise NothingToDraw
    community = lock_plans(community.pk)
    for old in CellPlan.objects.filter(community=community, state=State.DRAFT):
        _move(old, State.DISCARDED)
        _step(old, Kind.DISCARDED, actor=actor, now=now, why="")
    plan = CellPlan.objects.create(
        community=community, seed=seed, measures=measures, created_at=now
    )
    known = {cell.code: cell for cell in Cell.objects.filter(community=community)}
    new = [Cell(community=community, code=drawn.code) for drawn in cells if drawn.code not in known]
    known |= {cell.code: cell for cell in Cell.objects.bulk_create(new)}
    CellShape.objects.bulk_create(
        CellShape(
            plan=plan,
            cell=known[drawn.code],
            geometry=to_wkb(drawn.geometry),
            households=drawn.households,
            measures=drawn.measures,
        )
        for drawn in cells
    )
    CellBuilding.objects.bulk_create(
        (
            CellBuilding(plan=plan, cell=known[drawn.code], building_id=building)
            for drawn in cells
            for building in drawn.buildings
        ),
        batch_size=BATCH,
    )
    _step(plan, kind, actor=actor, now=now, why=why)
    work.audit("plan.drawn", plan, after={"cells": len(cells), "seed": seed})
    _tell(plan, kind, [known[drawn.code].pk for drawn in cells])
    return plan


def start_draft(*, community: Community, actor: Any, now: datetime, why: str = "") -> CellPlan:
    """Copy the published plan as the draft, to be edited. For captains of any of its cells too.

    Raises NotAllowed, DraftExists, NothingPublished.
    """
    work = current()
    rules.require_may_edit(actor, community)
    community = lock_plans(community.pk)
    refuse_second_draft(community)
    published = CellPlan.objects.filter(community=community, state=State.PUBLISHED).first()
    if published is None:
        raise NothingPublished
    plan = CellPlan.objects.create(
        community=community, seed=published.seed, measures=published.measures, created_at=now
    )
    shapes = list(CellShape.objects.filter(plan=published))
    CellShape.objects.bulk_create(
        CellShape(
            plan=plan,
            cell_id=shape.cell_id,
            geometry=shape.geometry,
            households=shape.households,
            measures=shape.measures,
        )
        for shape in shapes
    )
    placed = Building.objects.filter(
        community=community, cell__in=[shape.cell_id for shape in shapes]
    )
    CellBuilding.objects.bulk_create(
        (
            CellBuilding(plan=plan, cell_id=cell, building_id=building)
            for building, cell in placed.values_list("pk", "cell")
        ),
        batch_size=BATCH,
    )
    count_households(plan)
    _step(plan, Kind.STARTED, actor=actor, now=now, why=why)
    work.audit("plan.started", plan, after={"from": published.pk})
    _tell(plan, Kind.STARTED, [])
    return plan


def publish_plan(
    *,
    plan: CellPlan,
    now: datetime,
    actor: Any = None,
    version: int | None = None,
    why: str = "",
) -> CellPlan:
    """Make a draft the community's plan: the one before becomes past, buildings move cells,
    cells without a shape retire (their history stays).

    Only the `version` that the actor has seen, where given. Raises NotAllowed, WrongPlanState,
    PlanChanged.
    """
    rules.require_may_change(actor, plan.community)
    plan = locked_plan(plan.pk, version=version, states={State.DRAFT})
    _put_in_force(plan, Kind.PUBLISHED, actor=actor or plan.publish_by, now=now, why=why)
    return plan


def schedule_plan(
    *,
    plan: CellPlan,
    at: datetime | None,
    actor: Any,
    now: datetime,
    version: int | None = None,
    why: str = "",
) -> CellPlan:
    """Let a draft be published by itself at `at`, in the actor's name; None takes that back.

    Raises NotAllowed, WrongPlanState, PlanChanged, BadInput for an instant that has passed.
    """
    work = current()
    rules.require_may_change(actor, plan.community)
    if at is not None and at <= now:
        raise BadInput({"at": [str(_("This date has passed."))]})
    plan = locked_plan(plan.pk, version=version, states={State.DRAFT})
    before = plan.publish_at
    plan.publish_at, plan.publish_by = at, actor if at is not None else None
    plan.save(update_fields=["publish_at", "publish_by"])
    _step(plan, Kind.SCHEDULED, actor=actor, now=now, why=why)
    work.audit("plan.scheduled", plan, before=_iso(before), after=_iso(at))
    _tell(plan, Kind.SCHEDULED, [])
    return plan


def publish_due(now: datetime) -> None:
    """Publish the drafts whose date has come: a job of the worker."""
    due = CellPlan.objects.filter(state=State.DRAFT, publish_at__lte=now).order_by("publish_at")

    def step(pk: int) -> None:
        plan = CellPlan.objects.select_related("community").get(pk=pk)
        # Published or put off since the list was read.
        if plan.state == State.DRAFT and plan.publish_at is not None and plan.publish_at <= now:
            publish_plan(plan=plan, now=now)

    jobs.for_each("publish plans", due.values_list("pk", flat=True), step, now=now)


def discard_plan(
    *,
    plan: CellPlan,
    actor: Any,
    now: datetime,
    version: int | None = None,
    why: str = "",
) -> CellPlan:
    """Put a draft away; `undo_plan` brings it back. Raises NotAllowed, WrongPlanState,
    PlanChanged.
    """
    rules.require_may_change(actor, plan.community)
    plan = locked_plan(plan.pk, version=version, states={State.DRAFT})
    _move(plan, State.DISCARDED)
    _step(plan, Kind.DISCARDED, actor=actor, now=now, why=why)
    current().audit("plan.discarded", plan)
    _tell(plan, Kind.DISCARDED, [])
    return plan


def undo_plan(*, plan: CellPlan, actor: Any, now: datetime, why: str = "") -> CellPlan:
    """Take back what was last done with a whole plan.

    Of the published plan: the one before is in force again, with its borders and buildings, and
    this one is a draft once more (a past plan where there is another draft). Of a discarded plan:
    it is the draft again. Returns the plan in force, or the draft. Raises NotAllowed,
    WrongPlanState, NothingBefore, DraftExists.
    """
    rules.require_may_change(actor, plan.community)
    plan = locked_plan(plan.pk, states={State.PUBLISHED, State.DISCARDED})
    if plan.state == State.DISCARDED:
        refuse_second_draft(plan.community)
        _move(plan, State.DRAFT)
        _step(plan, Kind.RESTORED, actor=actor, now=now, why=why)
        current().audit("plan.restored", plan)
        _tell(plan, Kind.RESTORED, [])
        return plan
    last = plan.steps.filter(kind=Kind.PUBLISHED).order_by("pk").last()
    if last is None or last.replaced is None:
        raise NothingBefore
    _put_in_force(last.replaced, Kind.REVERTED, actor=actor, now=now, why=why)
    if not CellPlan.objects.filter(community=plan.community, state=State.DRAFT).exists():
        _move(plan, State.DRAFT)
    return last.replaced


def locked_plan(
    plan_id: int, *, version: int | None = None, states: set[CellPlan.State] | None = None
) -> CellPlan:
    """Lock the community and the plan; raise PlanChanged or WrongPlanState if it isn't as wanted.

    The community's row is the lock of all that concerns its plans: they are few, and every step
    touches two of them.
    """
    community = CellPlan.objects.filter(pk=plan_id).values_list("community", flat=True).first()
    if community is None:
        raise NotFound
    lock_plans(community)
    plan = CellPlan.objects.select_related("community", "publish_by").get(pk=plan_id)
    if states is not None and plan.state not in states:
        raise WrongPlanState(state=str(plan.state))
    if version is not None and version != plan.version:
        raise PlanChanged(version=plan.version)
    return plan


def count_households(plan: CellPlan, cells: Sequence[int] | None = None) -> dict[int, int]:
    """Write each cell's households as its buildings have them now; return them by cell id."""
    members = CellBuilding.objects.filter(plan=plan)
    shapes = CellShape.objects.filter(plan=plan)
    if cells is not None:
        members, shapes = members.filter(cell__in=cells), shapes.filter(cell__in=cells)
    rows = members.order_by().values("cell").annotate(households=Sum("building__dwellings"))
    counts = {row["cell"]: row["households"] for row in rows}
    changed = []
    for shape in shapes:
        count = counts.get(shape.cell_id, 0)
        if shape.households != count:
            shape.households = count
            changed.append(shape)
    CellShape.objects.bulk_update(changed, ["households"], batch_size=BATCH)
    return counts


def tell_edited(plan: CellPlan, what: str, cells: Sequence[int]) -> None:
    """Tell the community's followers that a draft's cells have changed."""
    _tell(plan, what, cells)


def _put_in_force(plan: CellPlan, kind: str, *, actor: Any, now: datetime, why: str) -> None:
    """Publish `plan`, whatever it was; the community is locked."""
    community = plan.community
    before = CellPlan.objects.filter(community=community, state=State.PUBLISHED).first()
    if before is not None:
        _move(before, State.PAST)
    plan.state, plan.published_at = State.PUBLISHED, now
    plan.publish_at, plan.publish_by = None, None
    plan.save(update_fields=["state", "published_at", "publish_at", "publish_by"])
    count_households(plan)
    drawn = list(CellShape.objects.filter(plan=plan).values_list("cell_id", flat=True))
    members = CellBuilding.objects.filter(plan=plan)
    for cell in drawn:
        here = Building.objects.filter(pk__in=members.filter(cell=cell).values("building"))
        here.exclude(cell=cell).update(cell=cell)
    placed = members.values("building")
    Building.objects.filter(community=community).exclude(pk__in=placed).update(cell=None)
    geographic = Cell.objects.filter(community=community, kind=Cell.Kind.GEOGRAPHIC)
    geographic.filter(pk__in=drawn).update(retired_at=None)
    geographic.exclude(pk__in=drawn).filter(retired_at=None).update(retired_at=now)
    _step(plan, kind, actor=actor, now=now, why=why, replaced=before)
    action = "plan.published" if kind == Kind.PUBLISHED else "plan.reverted"
    current().audit(
        action, plan, before={"plan": before.pk if before else None}, after={"cells": len(drawn)}
    )
    _tell(plan, kind, drawn)
    transaction.on_commit(index.forget, robust=True)


def lock_plans(community_id: int) -> Community:
    """Lock the community's row: the lock of all that concerns its plans."""
    return Community.objects.select_for_update(no_key=True).get(pk=community_id)


def refuse_second_draft(community: Community) -> None:
    """Raise DraftExists where the community has its draft already."""
    draft = CellPlan.objects.filter(community=community, state=State.DRAFT).first()
    if draft is not None:
        raise DraftExists(plan=draft.pk)


def _move(plan: CellPlan, state: CellPlan.State) -> None:
    plan.state, plan.publish_at, plan.publish_by = state, None, None
    plan.save(update_fields=["state", "publish_at", "publish_by"])


def _step(
    plan: CellPlan,
    kind: str,
    *,
    actor: Any,
    now: datetime,
    why: str,
    replaced: CellPlan | None = None,
) -> None:
    PlanStep.objects.create(
        community_id=plan.community_id,
        plan=plan,
        replaced=replaced,
        kind=kind,
        at=now,
        by=actor,
        why=why,
    )


def _tell(plan: CellPlan, what: str, cells: Sequence[int]) -> None:
    event = CellsChanged(
        plan=plan.pk, cells=list(cells), what=str(what), version=plan.version, state=str(plan.state)
    )
    record(event, topics=[f"community:{plan.community_id}"])


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
