"""Plans of cells as their editors see them: cells, buildings, differences, history."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import shapely
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet, Sum
from shapely import from_wkb
from shapely.geometry import mapping

from common.errors import NotFound
from grids.maps.queries import communities_visible_to
from grids.people.models import Member
from grids.people.queries import captains_of
from grids.places.models import (
    Building,
    Cell,
    CellBuilding,
    CellPlan,
    CellShape,
    Community,
    PlanEdit,
    PlanStep,
    Street,
)
from grids.places.rules import cells_led, may_change, require_may_edit
from grids.zoning.edit import diff

_DECIMALS = 6
Actor = Member | AnonymousUser


def plans_visible_to(actor: Actor) -> QuerySet[CellPlan]:
    """Return the plans of the towns that the actor lives or holds a role in."""
    found = CellPlan.objects.filter(community__in=communities_visible_to(actor))
    return found.select_related("community", "publish_by")


def plan_editable_by(actor: Actor, plan_id: int) -> CellPlan:
    """Return a plan whose community the actor is a captain or administrator of.

    Raises NotFound for other towns' plans, NotAllowed for one's own town's.
    """
    plan = plans_visible_to(actor).filter(pk=plan_id).first()
    if plan is None:
        raise NotFound
    require_may_edit(actor, plan.community)
    return plan


def band_state(households: int, community: Community) -> str:
    """Say where a cell is: `in` the band, `above` or `below` it."""
    if households > community.band_max:
        return "above"
    return "below" if households < community.band_min else "in"


def plan_row(plan: CellPlan) -> dict[str, Any]:
    """Return a plan as a line of a list."""
    return {
        "id": plan.pk,
        "community": plan.community_id,
        "state": str(plan.state),
        "version": plan.version,
        "created_at": plan.created_at,
        "published_at": plan.published_at,
        "publish_at": plan.publish_at,
    }


def plan_data(plan: CellPlan, actor: Any) -> dict[str, Any]:
    """Return a plan whole: its cells with households, what lies outside, the stack of edits."""
    community = plan.community
    led = cells_led(actor, community)
    shapes = list(CellShape.objects.filter(plan=plan).select_related("cell").order_by("cell__code"))
    captains = captains_of([shape.cell for shape in shapes])
    edits = list(plan.edits.select_related("by").order_by("-number"))
    draft = plan.state == CellPlan.State.DRAFT
    return {
        **plan_row(plan),
        "band": {"min": community.band_min, "max": community.band_max},
        "cells": [
            {
                "id": shape.cell_id,
                "code": shape.cell.code,
                "name": str(shape.cell),
                "households": shape.households,
                "band": band_state(shape.households, community),
                "captain": _person(captains.get(shape.cell_id)),
            }
            for shape in shapes
        ],
        "outside": _outside(plan),
        "may": {
            "edit": draft,
            "publish": may_change(actor, community),
            "cells": None if led is None else sorted(led),
        },
        "can_undo": draft and any(edit.state == PlanEdit.State.DONE for edit in edits),
        "can_redo": draft and any(edit.state == PlanEdit.State.UNDONE for edit in edits),
        "edits": [edit_data(edit) for edit in edits],
        "steps": [step_data(step) for step in steps_of(plan.community).filter(plan=plan)],
    }


def edit_data(edit: PlanEdit) -> dict[str, Any]:
    """Return one edit: what, who, when and why."""
    return {
        "number": edit.number,
        "kind": str(edit.kind),
        "state": str(edit.state),
        "buildings": len(edit.moves),
        "households": edit.households,
        "at": edit.at,
        "by": _person(edit.by),
        "why": edit.why,
    }


def steps_of(community: Community) -> QuerySet[PlanStep]:
    """Return the history of a community's plans, newest first."""
    return PlanStep.objects.filter(community=community).select_related("by", "plan").order_by("-pk")


def step_data(step: PlanStep) -> dict[str, Any]:
    """Return one step of the history."""
    return {
        "kind": str(step.kind),
        "plan": step.plan_id,
        "replaced": step.replaced_id,
        "at": step.at,
        "by": _person(step.by),
        "why": step.why,
    }


def cells_of(plan: CellPlan, only: Sequence[int] | None = None) -> dict[str, Any]:
    """Return a plan's cells as GeoJSON, each with the ids of its buildings; `only` some of them."""
    shapes = CellShape.objects.filter(plan=plan).select_related("cell").order_by("cell__code")
    members = CellBuilding.objects.filter(plan=plan)
    if only is not None:
        shapes, members = shapes.filter(cell__in=only), members.filter(cell__in=only)
    buildings: dict[int, list[int]] = {}
    for cell, building in members.order_by("building").values_list("cell", "building"):
        buildings.setdefault(cell, []).append(building)
    features = [
        {
            "type": "Feature",
            "id": shape.cell_id,
            "geometry": _geometry(shape.geometry),
            "properties": {
                "id": shape.cell_id,
                "code": shape.cell.code,
                "households": shape.households,
                "band": band_state(shape.households, plan.community),
                "buildings": buildings.get(shape.cell_id, []),
            },
        }
        for shape in shapes
    ]
    return {
        "type": "FeatureCollection",
        "plan": plan.pk,
        "version": plan.version,
        "features": features,
    }


def ground_of(community: Community) -> dict[str, Any]:
    """Return buildings (with households and label) and streets: what a plan is drawn over."""
    rows = list(Building.objects.filter(community=community).order_by("pk"))
    streets = Street.objects.filter(community=community).values_list("geometry", flat=True)
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": row.pk,
                "geometry": _geometry(row.geometry),
                "properties": {
                    "id": row.pk,
                    "label": str(row),
                    "households": row.dwellings,
                    "lat": round(row.lat, _DECIMALS),
                    "lon": round(row.lon, _DECIMALS),
                },
            }
            for row in rows
        ],
        "streets": [_geometry(wkb) for wkb in streets],
    }


def diff_of(plan: CellPlan) -> dict[str, Any]:
    """Return what a plan changes against the published one, by buildings and by cell."""
    community = plan.community
    published = CellPlan.objects.filter(community=community, state=CellPlan.State.PUBLISHED).first()
    before: dict[int, int] = {}
    if published is not None:
        in_force = CellShape.objects.filter(plan=published).values("cell")
        placed = Building.objects.filter(community=community, cell__in=in_force)
        before = dict(placed.values_list("pk", "cell"))
    after = dict(CellBuilding.objects.filter(plan=plan).values_list("building", "cell"))
    buildings = {row.pk: row for row in Building.objects.filter(community=community)}
    dwellings = {pk: row.dwellings for pk, row in buildings.items()}
    found = diff(cast("Any", before), cast("Any", after), cast("Any", dwellings))
    ids = {int(str(change.key)) for change in found.cells}
    cells = Cell.objects.filter(pk__in=ids | set(before.values()) | set(after.values()))
    codes = {cell.pk: cell.code for cell in cells}
    new = {int(str(key)) for key in found.new}
    retired = {int(str(key)) for key in found.retired}

    def side(households: int) -> dict[str, Any]:
        return {"households": households, "band": band_state(households, community)}

    def moved(change: Any) -> dict[str, Any]:
        return {
            "building": change.building,
            "label": str(buildings[change.building]),
            "households": change.households,
            "from": codes.get(change.before),
            "to": codes.get(change.after),
        }

    return {
        "plan": plan.pk,
        "version": plan.version,
        "against": published.pk if published else None,
        "buildings_moved": found.buildings_moved,
        "households_moved": found.households_moved,
        "moved": [moved(change) for change in (*found.moved, *found.added, *found.removed)],
        "cells": sorted(
            (
                {
                    "id": change.key,
                    "code": codes[int(str(change.key))],
                    "before": None if change.key in new else side(change.households_before),
                    "after": None if change.key in retired else side(change.households),
                    "came": change.came + change.built,
                    "left": change.left + change.gone,
                }
                for change in found.cells
            ),
            key=lambda row: str(row["code"]),
        ),
        "new": sorted(codes[pk] for pk in new),
        "retired": sorted(codes[pk] for pk in retired),
        "outside": _outside(plan),
    }


def _outside(plan: CellPlan) -> dict[str, int]:
    """Count what no cell of the plan has taken in: buildings that came after it was drawn."""
    placed = CellBuilding.objects.filter(plan=plan).values("building")
    rows = Building.objects.filter(community=plan.community).exclude(pk__in=placed)
    return {
        "buildings": rows.count(),
        "households": rows.aggregate(sum=Sum("dwellings"))["sum"] or 0,
    }


def _geometry(wkb: Any) -> dict[str, Any]:
    whole = from_wkb(bytes(wkb))
    shape = shapely.set_precision(whole, 10**-_DECIMALS)
    if shape.is_empty:
        # Smaller than the grid: it must not vanish.
        shape = shapely.transform(whole, lambda xy: np.round(xy, _DECIMALS))
    found: Mapping[str, Any] = mapping(shape)
    return dict(found)


def _person(member: Any) -> dict[str, Any] | None:
    return {"id": member.pk, "name": member.display_name} if member is not None else None
