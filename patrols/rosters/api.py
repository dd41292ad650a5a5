"""/api/v1/rosters, replacements, and one's own availability."""

from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import clock
from common.api import Endpoint
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from patrols.rosters import services
from patrols.rosters.queries import availability_of, run_data, run_visible_to
from patrols.rosters.replacements import replacements_for
from patrols.rosters.serializers import (
    AskedAnswer,
    AvailabilityBody,
    ReplacementsAnswer,
    RosterBody,
    RunAnswer,
)
from patrols.rosters.services import ExceptionInput, WindowInput
from patrols.rosters.tasks import solve_run
from patrols.shifts.queries import community_visible_to

_TAGS = ["rosters"]
_RUN: dict[str, Any] = {
    "id": 12,
    "community": 3,
    "from": "2026-06-01",
    "days": 7,
    "state": "ready",
    "seats_total": 63,
    "seats_filled": 62,
    "objective": 101_240,
    "bound": 101_240,
    "gap": 0.0,
    "seconds": 0.4,
    "method": "flow",
    "cut_off": False,
    "assigned": None,
    "skipped": [],
    "error": "",
    "asked_at": "2026-05-31T20:00:00+08:00",
    "ready_at": "2026-05-31T20:00:01+08:00",
    "applied_at": None,
    "planned": [
        {
            "seat": 2440,
            "shift": 812,
            "member": {"id": 55, "name": "王秀英"},
            "why": {"home_cell": True, "load": 2},
        }
    ],
    "open": [
        {
            "seat": 2471,
            "shift": 823,
            "reason": "nobody_available",
            "text": "None of the 14 people who could do it is free then.",
        }
    ],
}
_AVAILABILITY: dict[str, Any] = {
    "windows": [{"weekday": 1, "from": "18:00", "until": "01:00"}],
    "exceptions": [{"on": "2026-06-20", "available": False, "from": None, "until": None}],
    "limits": {
        "most_shifts_a_week": 2,
        "most_minutes_a_week": None,
        "most_days_in_a_row": 2,
        "neighbouring_cells": True,
    },
}


class RostersView(Endpoint):
    """POST /rosters."""

    @extend_schema(
        tags=_TAGS,
        request=RosterBody,
        responses={202: AskedAnswer},
        examples=[
            OpenApiExample(
                "a week", {"community": 3, "from": "2026-06-01", "days": 7}, request_only=True
            ),
            OpenApiExample(
                "asked", {"id": 12, "state": "queued"}, response_only=True, status_codes=["202"]
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Ask for a plan, as captain; `roster.ready` tells when to look at /rosters/{id}.

        `from` is today where left out; `days` 1 to 7.
        """
        data = self.read(RosterBody)
        actor = member_of(request)

        def ask(work: UnitOfWork) -> tuple[int, Any]:
            from_on = data.get("from")
            if from_on is None:
                zone = ZoneInfo(community_visible_to(actor, data["community"]).zone)
                from_on = work.now.astimezone(zone).date()
            run = services.ask_roster(
                community_id=data["community"],
                from_on=from_on,
                days=data["days"],
                seconds=data["seconds"],
                seed=data["seed"],
                actor=actor,
                now=work.now,
            )
            # A row of this same transaction: there is no plan asked for that nobody solves.
            solve_run.enqueue(run.pk)
            return 202, {"id": run.pk, "state": str(run.state)}

        return self.write(ask)


class RosterView(Endpoint):
    """GET /rosters/{id}."""

    @extend_schema(
        tags=_TAGS,
        responses=RunAnswer,
        examples=[OpenApiExample("ready", _RUN, response_only=True)],
    )
    def get(self, request: Request, run_id: int) -> Response:
        """Show a plan: its quality, who is planned where, and why a seat stays open."""
        return Response(run_data(run_visible_to(member_of(request), run_id)))


class ApplyView(Endpoint):
    """POST /rosters/{id}/apply."""

    @extend_schema(
        tags=_TAGS,
        request=None,
        responses=RunAnswer,
        examples=[
            OpenApiExample(
                "applied", {**_RUN, "state": "applied", "assigned": 62}, response_only=True
            )
        ],
    )
    def post(self, request: Request, run_id: int) -> Response:
        """Assign what the plan says; seats that changed meanwhile are in `skipped`.

        409 `wrong_state` unless the plan is ready.
        """

        def apply(work: UnitOfWork) -> tuple[int, Any]:
            run = services.apply_run(run_id=run_id, actor=member_of(request), now=work.now)
            return 200, run_data(run)

        return self.write(apply)


class ReplacementsView(Endpoint):
    """GET /shifts/{id}/replacements."""

    @extend_schema(
        tags=["shifts"],
        responses=ReplacementsAnswer,
        examples=[
            OpenApiExample(
                "ranked",
                {
                    "results": [
                        {
                            "member": {"id": 55, "name": "王秀英"},
                            "reasons": ["home_cell", "available"],
                            "load": 1,
                            "score": 740,
                        }
                    ]
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, shift_id: int) -> Response:
        """Rank those who could take a seat of this shift, for its captain."""
        _shift, found = replacements_for(
            shift_id=shift_id, actor=member_of(request), now=clock.now()
        )
        return Response({"results": [one.data() for one in found]})


class AvailabilityView(Endpoint):
    """GET, PUT /me/availability."""

    @extend_schema(
        tags=_TAGS,
        responses=AvailabilityBody,
        examples=[OpenApiExample("mine", _AVAILABILITY, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        """Show when and how often one can come."""
        return Response(availability_of(member_of(request)))

    @extend_schema(
        tags=_TAGS,
        request=AvailabilityBody,
        responses=AvailabilityBody,
        examples=[OpenApiExample("mine", _AVAILABILITY)],
    )
    def put(self, request: Request) -> Response:
        """Say when and how often one can come; a part that is left out stays as it was."""
        data = self.read(AvailabilityBody)
        actor = member_of(request)
        windows, exceptions = data.get("windows"), data.get("exceptions")

        def put(work: UnitOfWork) -> tuple[int, Any]:
            services.set_availability(
                actor=actor,
                now=work.now,
                windows=None
                if windows is None
                else [WindowInput(one["weekday"], one["from"], one["until"]) for one in windows],
                exceptions=None
                if exceptions is None
                else [
                    ExceptionInput(one["on"], one["available"], one["from"], one["until"])
                    for one in exceptions
                ],
                limits=data.get("limits"),
            )
            return 200, availability_of(actor)

        return self.write(put)
