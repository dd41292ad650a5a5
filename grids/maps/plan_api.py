"""/api/v1/plans: drafts, edits, publishing; for captains and administrators."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from common.api import KEY_HEADER, Endpoint, FiniteField, IdField
from common.errors import BadInput
from common.pagination import ByIdPagination
from common.unit_of_work import UnitOfWork
from grids.maps import plan_queries, queries
from grids.places import plans
from grids.places.models import CellPlan, PlanStep
from grids.places.rules import require_may_change, require_may_edit
from grids.zoning import editing
from grids.zoning.services import redraw_community, save_drawing

F = TypeVar("F", bound=Callable[..., Any])
_TAGS = ["plans"]
_MOST_BUILDINGS = 5_000
_MOST_POINTS = 2_000
_REDRAW_SEED = 1

_ROW: dict[str, Any] = {
    "id": 31,
    "community": 2,
    "state": "draft",
    "version": 4,
    "created_at": "2026-06-01T14:00:00+08:00",
    "published_at": None,
    "publish_at": "2026-07-01T00:00:00+08:00",
}
_PERSON = {"id": 17, "name": "王秀兰"}
_CELL = {"id": 4, "code": "G004", "name": "G004", "households": 412, "band": "in"}
_PLAN: dict[str, Any] = {
    **_ROW,
    "band": {"min": 300, "max": 500},
    "cells": [{**_CELL, "captain": _PERSON}],
    "outside": {"buildings": 0, "households": 0},
    "may": {"edit": True, "publish": False, "cells": [4]},
    "can_undo": True,
    "can_redo": False,
    "edits": [
        {
            "number": 3,
            "kind": "moved",
            "state": "done",
            "buildings": 2,
            "households": 24,
            "at": "2026-06-01T14:10:00+08:00",
            "by": _PERSON,
            "why": "同一条巷子",
        }
    ],
    "steps": [
        {
            "kind": "started",
            "plan": 31,
            "replaced": None,
            "at": "2026-06-01T14:00:00+08:00",
            "by": _PERSON,
            "why": "",
        }
    ],
}
_EDITED: dict[str, Any] = {
    "plan": 31,
    "version": 5,
    "edit": _PLAN["edits"][0],
    "cells": [4, 5],
    "warnings": [
        {
            "code": "out_of_band",
            "cell": 5,
            "households": 512,
            "text": "G005 has 512 households, more than 500.",
        }
    ],
}
_DIFF: dict[str, Any] = {
    "plan": 31,
    "version": 4,
    "against": 30,
    "buildings_moved": 2,
    "households_moved": 24,
    "moved": [
        {"building": 901, "label": "文化路3号", "households": 12, "from": "G004", "to": "G005"}
    ],
    "cells": [
        {
            "id": 4,
            "code": "G004",
            "before": {"households": 412, "band": "in"},
            "after": {"households": 388, "band": "in"},
            "came": 0,
            "left": 24,
        }
    ],
    "new": [],
    "retired": [],
    "outside": {"buildings": 0, "households": 0},
}


def _schema(name: str, example: dict[str, Any], **more: Any) -> Callable[[F], F]:
    """Describe an answer by its example."""
    return extend_schema(
        tags=_TAGS,
        examples=[OpenApiExample(name, example, response_only=True)],
        **{"responses": OpenApiTypes.OBJECT, **more},
    )


class _PlansQuery(serializers.Serializer[Any]):
    community = IdField()


class StartBody(serializers.Serializer[Any]):
    """What a draft starts from."""

    community = IdField()
    redraw = serializers.BooleanField(
        default=False,
        help_text="Draw anew with least change for today's buildings, instead of copying.",
    )
    why = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class VersionBody(serializers.Serializer[Any]):
    """Which version of the plan was seen."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    why = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class EditBody(serializers.Serializer[Any]):
    """What every edit says."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    why = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class MoveBody(EditBody):
    """Buildings to move to a cell."""

    buildings = serializers.ListField(child=IdField(), min_length=1, max_length=_MOST_BUILDINGS)
    cell = IdField()


class _Lon(FiniteField):
    def __init__(self) -> None:
        super().__init__(min_value=-180, max_value=180)


class BorderBody(EditBody):
    """A line (lon, lat) that shall be the border of two cells."""

    cells = serializers.ListField(child=IdField(), min_length=2, max_length=2)
    line = serializers.ListField(
        child=serializers.ListField(child=_Lon(), min_length=2, max_length=2),
        min_length=2,
        max_length=_MOST_POINTS,
    )


class PublishBody(VersionBody):
    """When to publish: at once without `at`; null takes a date back."""

    at = serializers.DateTimeField(required=False, allow_null=True)


class PlanList(Endpoint):
    """GET, POST /plans."""

    pagination_class = ByIdPagination

    @extend_schema(
        tags=_TAGS,
        operation_id="plans_list",
        parameters=[OpenApiParameter("community", int, required=True)],
        responses=OpenApiTypes.OBJECT,
        examples=[
            OpenApiExample(
                "plans", {"next": None, "previous": None, "results": [_ROW]}, response_only=True
            )
        ],
    )
    def get(self, request: HttpRequest) -> Response:
        """List the plans of a community, newest first: draft, published, past, discarded."""
        wanted = self.read_query(_PlansQuery)["community"]
        community = queries.community_visible_to(self.request.user, pk=wanted)
        require_may_edit(self.request.user, community)
        pages = self.pagination_class()
        rows = plan_queries.plans_visible_to(self.request.user).filter(community=community)
        page = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response([plan_queries.plan_row(row) for row in page])

    @extend_schema(
        tags=_TAGS,
        parameters=[KEY_HEADER],
        request=StartBody,
        responses={201: OpenApiTypes.OBJECT},
        examples=[
            OpenApiExample("a copy", {"community": 2}, request_only=True),
            OpenApiExample("draft", _PLAN, response_only=True, status_codes=["201"]),
        ],
    )
    def post(self, request: HttpRequest) -> Response:
        """Start the draft: a copy of the published plan, or (administrators) a redrawing of it.

        409 `draft_exists` (with `plan`), `nothing_published`.
        """
        data = self.read(StartBody)
        actor = self.request.user
        community = queries.community_visible_to(actor, pk=data["community"])
        if data["redraw"]:
            require_may_change(actor, community)
            # Seconds of work that nobody else need wait for.
            drawing = redraw_community(community=community, seed=_REDRAW_SEED)

        def start(work: UnitOfWork) -> tuple[int, Any]:
            if data["redraw"]:
                plans.refuse_second_draft(plans.lock_plans(community.pk))
                plan = save_drawing(
                    community=community,
                    drawing=drawing.plan,
                    seed=_REDRAW_SEED,
                    now=work.now,
                    actor=actor,
                    kind=PlanStep.Kind.REDRAWN,
                    why=data["why"],
                )
            else:
                plan = plans.start_draft(
                    community=community, actor=actor, now=work.now, why=data["why"]
                )
            return 201, plan_queries.plan_data(plan, actor)

        return self.write(start, key_required=True)


class PlanDetail(Endpoint):
    """GET /plans/{id}."""

    @_schema("draft", _PLAN, operation_id="plans_retrieve")
    def get(self, request: HttpRequest, plan_id: int) -> Response:
        """Show a plan: cells, households and band, edits (newest first), what you may do."""
        plan = plan_queries.plan_editable_by(self.request.user, plan_id)
        return Response(plan_queries.plan_data(plan, self.request.user))


class PlanDiff(Endpoint):
    """GET /plans/{id}/diff."""

    @_schema("diff", _DIFF)
    def get(self, request: HttpRequest, plan_id: int) -> Response:
        """Compare a plan with the published one: who changes cell, and each cell's households."""
        plan = plan_queries.plan_editable_by(self.request.user, plan_id)
        return Response(plan_queries.diff_of(plan))


class PlanCells(Endpoint):
    """GET /plans/{id}/cells."""

    @_schema(
        "cells",
        {
            "type": "FeatureCollection",
            "plan": 31,
            "version": 4,
            "features": [
                {
                    "type": "Feature",
                    "id": 4,
                    "geometry": {
                        "type": "Polygon",
                        "coordinates": [[[9.51, 47.14], [9.52, 47.14], [9.51, 47.15]]],
                    },
                    "properties": {
                        "id": 4,
                        "code": "G004",
                        "households": 412,
                        "band": "in",
                        "buildings": [901, 902],
                    },
                }
            ],
        },
        parameters=[OpenApiParameter("cells", str, description="Only these, ids with commas.")],
    )
    def get(self, request: HttpRequest, plan_id: int) -> Response:
        """Return a plan's cells as GeoJSON, each with the ids of its buildings."""
        plan = plan_queries.plan_editable_by(self.request.user, plan_id)
        text = self.request.query_params.get("cells")
        only = None
        if text is not None:
            parts = text.split(",")
            if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
                raise BadInput({"cells": [_("Write ids with commas between them.")]})
            only = [int(part) for part in parts]
        return Response(plan_queries.cells_of(plan, only))


class PlanGround(Endpoint):
    """GET /plans/{id}/ground."""

    @_schema(
        "ground",
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "id": 901,
                    "geometry": {"type": "Point", "coordinates": [9.51, 47.14]},
                    "properties": {
                        "id": 901,
                        "label": "文化路3号",
                        "households": 12,
                        "lat": 47.14,
                        "lon": 9.51,
                    },
                }
            ],
            "streets": [{"type": "LineString", "coordinates": [[9.51, 47.14], [9.52, 47.14]]}],
        },
    )
    def get(self, request: HttpRequest, plan_id: int) -> Response:
        """Return the buildings as GeoJSON, and the streets: what the plan is drawn over."""
        plan = plan_queries.plan_editable_by(self.request.user, plan_id)
        return Response(plan_queries.ground_of(plan.community))


class _Editing(Endpoint):
    """One edit of a draft."""

    def edit(
        self,
        plan_id: int,
        service: Callable[[UnitOfWork], editing.Edited],
        *,
        key_required: bool = False,
    ) -> Response:
        plan = plan_queries.plan_editable_by(self.request.user, plan_id)
        # Woven before the transaction, which others wait for.
        editing.ground_of(plan.community)

        def run(work: UnitOfWork) -> tuple[int, Any]:
            done = service(work)
            return 200, {
                "plan": done.plan.pk,
                "version": done.plan.version,
                "edit": plan_queries.edit_data(done.edit),
                "cells": done.cells,
                "warnings": done.warnings,
            }

        return self.write(run, key_required=key_required)


class PlanMoves(_Editing):
    """POST /plans/{id}/moves."""

    @_schema("moved", _EDITED, parameters=[KEY_HEADER], request=MoveBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Move buildings of a draft to a cell.

        409 `plan_changed` (with `version`), `cell_cut_apart` (with `cells: [{cell, cut_off}]`),
        `cell_left_empty`, `nothing_moves`, `wrong_state`. What leaves the band is in `warnings`.
        """
        data = self.read(MoveBody)
        return self.edit(
            plan_id,
            lambda work: editing.move_buildings(
                plan_id=plan_id,
                version=data["version"],
                buildings=data["buildings"],
                cell_id=data["cell"],
                actor=work.actor,
                now=work.now,
                why=data["why"],
            ),
            key_required=True,
        )


class PlanBorders(_Editing):
    """POST /plans/{id}/borders."""

    @_schema("redrawn", _EDITED, parameters=[KEY_HEADER], request=BorderBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Make a drawn line the border of two cells: buildings change side. Refused as a move."""
        data = self.read(BorderBody)
        line = [(point[0], point[1]) for point in data["line"]]
        if any(abs(lat) > 90 for _lon, lat in line):
            raise BadInput({"line": [_("Each point is lon, lat in degrees.")]})
        return self.edit(
            plan_id,
            lambda work: editing.redraw_border(
                plan_id=plan_id,
                version=data["version"],
                cells=(data["cells"][0], data["cells"][1]),
                line=line,
                actor=work.actor,
                now=work.now,
                why=data["why"],
            ),
            key_required=True,
        )


class PlanRedo(_Editing):
    """POST /plans/{id}/redo."""

    @_schema("done again", _EDITED, request=EditBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Do again the edit of a draft that was undone last. 409 `nothing_to_undo`."""
        data = self.read(EditBody)
        return self.edit(
            plan_id,
            lambda work: editing.redo_edit(
                plan_id=plan_id, version=data["version"], actor=work.actor, now=work.now
            ),
        )


class PlanUndo(_Editing):
    """POST /plans/{id}/undo."""

    @_schema("undone", _EDITED, request=VersionBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Take back the last thing: a draft's last edit (`version` is required), or a publish.

        Undoing the published plan puts the one before in force; undoing a discarded one makes it
        the draft again: both answer with that plan, and are for administrators. 409
        `nothing_to_undo`, `nothing_before`, `draft_exists`, `plan_changed`.
        """
        data = self.read(VersionBody)
        actor = self.request.user
        plan = plan_queries.plan_editable_by(actor, plan_id)
        if plan.state == CellPlan.State.DRAFT:
            version = data.get("version")
            if version is None:
                raise BadInput({"version": [_("Say which version of the draft you see.")]})
            return self.edit(
                plan_id,
                lambda work: editing.undo_edit(
                    plan_id=plan_id, version=version, actor=actor, now=work.now
                ),
            )

        def undo(work: UnitOfWork) -> tuple[int, Any]:
            now_there = plans.undo_plan(plan=plan, actor=actor, now=work.now, why=data["why"])
            return 200, plan_queries.plan_data(now_there, actor)

        return self.write(undo)


class PlanPublish(Endpoint):
    """POST /plans/{id}/publish."""

    @_schema("published", {**_PLAN, "state": "published"}, request=PublishBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Publish a draft now, or at the date `at` (null takes the date back).

        409 `plan_changed` where `version` is not the one you saw, `wrong_state`.
        """
        data = self.read(PublishBody)
        actor = self.request.user
        plan = plan_queries.plan_editable_by(actor, plan_id)

        def publish(work: UnitOfWork) -> tuple[int, Any]:
            how: dict[str, Any] = {
                "plan": plan,
                "actor": actor,
                "now": work.now,
                "version": data.get("version"),
                "why": data["why"],
            }
            done = (
                plans.schedule_plan(at=data["at"], **how)
                if "at" in data
                else plans.publish_plan(**how)
            )
            return 200, plan_queries.plan_data(done, actor)

        return self.write(publish)


class PlanDiscard(Endpoint):
    """POST /plans/{id}/discard."""

    @_schema("discarded", {**_PLAN, "state": "discarded"}, request=VersionBody)
    def post(self, request: HttpRequest, plan_id: int) -> Response:
        """Put a draft away; undo brings it back. 409 `plan_changed`, `wrong_state`."""
        data = self.read(VersionBody)
        actor = self.request.user
        plan = plan_queries.plan_editable_by(actor, plan_id)

        def discard(work: UnitOfWork) -> tuple[int, Any]:
            done = plans.discard_plan(
                plan=plan,
                actor=actor,
                now=work.now,
                version=data.get("version"),
                why=data["why"],
            )
            return 200, plan_queries.plan_data(done, actor)

        return self.write(discard)
