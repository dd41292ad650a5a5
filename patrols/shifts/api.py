"""/api/v1/shifts: look, claim, release, assign; captains make, change and cancel."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import clock
from common.api import Endpoint
from common.pagination import ByIdPagination, ByStartPagination
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from patrols.shifts import services
from patrols.shifts.models import Kind, Shift
from patrols.shifts.queries import (
    activities_visible_to,
    activity_data,
    activity_visible_to,
    communities_visible_to,
    seat_answer,
    shift_detail,
    shift_rows,
    shift_visible_to,
    shifts_visible_to,
)
from patrols.shifts.serializers import (
    ActivityAnswer,
    ActivityBody,
    ActivityChanges,
    ActivityQuery,
    AssignBody,
    ReleaseBody,
    ShiftAnswer,
    ShiftBody,
    ShiftChanges,
    ShiftQuery,
    ShiftRow,
    TakenSeat,
    before,
    since,
)
from patrols.shifts.services.duties import DutyFields

_TAGS = ["shifts"]
_SHIFT: dict[str, Any] = {
    "id": 812,
    "title": "夜间巡逻",
    "kind": "patrol",
    "category": "patrol",
    "state": "scheduled",
    "community": 3,
    "cell": 21,
    "starts_at": "2026-06-01T19:00:00+08:00",
    "ends_at": "2026-06-01T20:30:00+08:00",
    "local_date": "2026-06-01",
    "seats_total": 3,
    "open_seats": 2,
    "required_skills": [],
    "wants_experienced": True,
    "meeting_name": "社区门口",
    "meeting_lat": 37.16,
    "meeting_lon": 122.42,
    "activity": 7,
}
_SEAT = {"id": 2440, "index": 1, "state": "claimed", "member": {"id": 55, "name": "王秀英"}}
_TAKEN = OpenApiExample(
    "seat",
    {
        **_SEAT,
        "shift": 812,
        "open_seats": 2,
        "starts_at": "2026-06-01T19:00:00+08:00",
        "ends_at": "2026-06-01T20:30:00+08:00",
    },
    response_only=True,
)
_DETAIL = OpenApiExample(
    "shift", {**_SHIFT, "meeting_code": None, "seats": [_SEAT]}, response_only=True
)


def changes_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return validated fields as services take them."""
    if "required_skills" in data:
        data["required_skills"] = tuple(data["required_skills"])
    return data


class ShiftsView(Endpoint):
    """GET, POST /shifts."""

    pagination_class = ByStartPagination

    @extend_schema(
        tags=_TAGS,
        parameters=[
            OpenApiParameter("community", int, description="this community and all below it"),
            OpenApiParameter("cell", int),
            OpenApiParameter(
                "from", str, description="date or instant; left out: not yet ended now"
            ),
            OpenApiParameter("to", str, description="date (inclusive) or instant (exclusive)"),
            OpenApiParameter("kind", str, enum=Kind.values),
            OpenApiParameter("open", bool, description="true: with an open seat; false: full"),
        ],
        responses=ShiftRow(many=True),
        examples=[OpenApiExample("a shift", _SHIFT, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        """List the shifts of the whole district, soonest first."""
        wanted = self.read_query(ShiftQuery)
        shifts = shifts_visible_to(member_of(request))
        if "community" in wanted:
            place = (
                communities_visible_to(member_of(request)).filter(pk=wanted["community"]).first()
            )
            path = place.path if place else "-"
            shifts = shifts.filter(community__path__startswith=path)
        if "cell" in wanted:
            shifts = shifts.filter(cell=wanted["cell"])
        if "kind" in wanted:
            shifts = shifts.filter(kind=wanted["kind"])
        if wanted["open"] is True:
            shifts = shifts.filter(open_seats__gt=0, state=Shift.State.SCHEDULED)
        elif wanted["open"] is False:
            shifts = shifts.filter(open_seats=0)
        if "from" in wanted:
            shifts = shifts.filter(since(wanted["from"]))
        else:
            shifts = shifts.filter(ends_at__gt=clock.now())
        if "to" in wanted:
            shifts = shifts.filter(before(wanted["to"]))
        pages = self.pagination_class()
        rows = pages.paginate_queryset(shift_rows(shifts), request, view=self)
        return pages.get_paginated_response(rows)

    @extend_schema(
        tags=_TAGS,
        request=ShiftBody,
        responses={201: ShiftAnswer},
        examples=[
            OpenApiExample(
                "patrol",
                {
                    "title": "夜间巡逻",
                    "kind": "patrol",
                    "community": 3,
                    "cell": 21,
                    "starts_at": "2026-06-01T19:00:00+08:00",
                    "ends_at": "2026-06-01T20:30:00+08:00",
                    "seats": 3,
                },
                request_only=True,
            ),
            _DETAIL,
        ],
    )
    def post(self, request: Request) -> Response:
        """Make one shift, as captain of that cell or community."""
        data = changes_of(self.read(ShiftBody))
        place = {f"{name}_id": data.pop(name) for name in ("community", "cell")}
        times = {name: data.pop(name) for name in ("starts_at", "ends_at")}

        def create(work: UnitOfWork) -> tuple[int, Any]:
            shift = services.create_shift(
                **place, **times, duty=DutyFields(**data), actor=member_of(request), now=work.now
            )
            return 201, shift_detail(shift, member_of(request))

        return self.write(create)


class ShiftView(Endpoint):
    """GET, PATCH /shifts/{id}."""

    @extend_schema(tags=_TAGS, responses=ShiftAnswer, examples=[_DETAIL])
    def get(self, request: Request, shift_id: int) -> Response:
        """Show one shift; seats carry names for its captain, its team and oneself."""
        return Response(
            shift_detail(shift_visible_to(member_of(request), shift_id), member_of(request))
        )

    @extend_schema(
        tags=_TAGS,
        request=ShiftChanges(partial=True),
        responses=ShiftAnswer,
        examples=[OpenApiExample("more hands", {"seats": 4}, request_only=True), _DETAIL],
    )
    def patch(self, request: Request, shift_id: int) -> Response:
        """Change a shift, as its captain: 409 `seats_taken`, `overlapping_shift`, `shift_over`."""
        parsed = ShiftChanges(data=request.data, partial=True)
        parsed.is_valid(raise_exception=True)
        changes = changes_of(dict(parsed.validated_data))

        def change(work: UnitOfWork) -> tuple[int, Any]:
            shift = services.change_shift(
                shift_id=shift_id, changes=changes, actor=member_of(request), now=work.now
            )
            return 200, shift_detail(shift, member_of(request))

        return self.write(change)


class CancelView(Endpoint):
    """POST /shifts/{id}/cancel."""

    @extend_schema(tags=_TAGS, request=None, responses=ShiftAnswer, examples=[_DETAIL])
    def post(self, request: Request, shift_id: int) -> Response:
        """Call a shift off and free its seats: 409 `shift_cancelled`, `shift_over`."""

        def cancel(work: UnitOfWork) -> tuple[int, Any]:
            shift = services.cancel_shift(shift_id=shift_id, actor=member_of(request), now=work.now)
            return 200, shift_detail(shift, member_of(request))

        return self.write(cancel)


class ClaimView(Endpoint):
    """POST /shifts/{id}/claim."""

    @extend_schema(tags=_TAGS, request=None, responses=TakenSeat, examples=[_TAKEN])
    def post(self, request: Request, shift_id: int) -> Response:
        """Take an open seat.

        409 `shift_full`, `overlapping_shift`, `already_claimed`, `rest_too_short`,
        `shift_started` (a check-in would be late), `shift_cancelled`; 403 `missing_skill`.
        """

        def claim(work: UnitOfWork) -> tuple[int, Any]:
            seat = services.claim_seat(shift_id=shift_id, actor=member_of(request), now=work.now)
            return 200, seat_answer(seat, seat.shift)

        return self.write(claim)


class ReleaseView(Endpoint):
    """POST /shifts/{id}/release."""

    @extend_schema(
        tags=_TAGS,
        request=ReleaseBody,
        responses=TakenSeat,
        examples=[OpenApiExample("a captain's", {"member": 55}, request_only=True), _TAKEN],
    )
    def post(self, request: Request, shift_id: int) -> Response:
        """Give one's seat back before the start; a captain may open anybody's.

        409 `not_your_seat`, `shift_started`, `shift_cancelled`, `wrong_state`.
        """
        member_id = self.read(ReleaseBody)["member"]

        def release(work: UnitOfWork) -> tuple[int, Any]:
            seat = services.release_seat(
                shift_id=shift_id, actor=member_of(request), now=work.now, member_id=member_id
            )
            return 200, seat_answer(seat, seat.shift)

        return self.write(release)


class AssignView(Endpoint):
    """POST /shifts/{id}/assign."""

    @extend_schema(
        tags=_TAGS,
        request=AssignBody,
        responses=TakenSeat,
        examples=[OpenApiExample("member", {"member": 55}, request_only=True), _TAKEN],
    )
    def post(self, request: Request, shift_id: int) -> Response:
        """Seat a member, as captain, until the shift ends: refusals as for claim, `shift_over`."""
        member_id = self.read(AssignBody)["member"]

        def assign(work: UnitOfWork) -> tuple[int, Any]:
            seat = services.assign_seat(
                shift_id=shift_id, member_id=member_id, actor=member_of(request), now=work.now
            )
            return 200, seat_answer(seat, seat.shift)

        return self.write(assign)


_ACTIVITY: dict[str, Any] = {
    "title": "夜间巡逻",
    "kind": "patrol",
    "community": 3,
    "cell": 21,
    "rrule": "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "starts_on": "2026-06-01",
    "ends_on": None,
    "starts_local": "19:00",
    "duration_minutes": 90,
    "seats": 3,
    "meeting_name": "社区门口",
}
_ACTIVITY_ANSWER = OpenApiExample(
    "activity",
    {
        "id": 7,
        **_ACTIVITY,
        "category": "patrol",
        "active": True,
        "required_skills": [],
        "wants_experienced": False,
        "meeting_lat": None,
        "meeting_lon": None,
        "early_minutes": 30,
        "late_minutes": 15,
    },
    response_only=True,
)


class ActivitiesView(Endpoint):
    """GET, POST /activities."""

    pagination_class = ByIdPagination

    @extend_schema(
        tags=_TAGS,
        parameters=[
            OpenApiParameter("community", int, description="this community and all below it")
        ],
        responses=ActivityAnswer(many=True),
        examples=[_ACTIVITY_ANSWER],
    )
    def get(self, request: Request) -> Response:
        """List what recurs in the whole district, newest first."""
        wanted = self.read_query(ActivityQuery)
        member = member_of(request)
        found = activities_visible_to(member)
        if "community" in wanted:
            place = communities_visible_to(member).filter(pk=wanted["community"]).first()
            found = found.filter(community__path__startswith=place.path if place else "-")
        pages = self.pagination_class()
        rows = pages.paginate_queryset(found, request, view=self)
        return pages.get_paginated_response([activity_data(row) for row in rows])

    @extend_schema(
        tags=_TAGS,
        request=ActivityBody,
        responses={201: ActivityAnswer},
        examples=[OpenApiExample("patrol", _ACTIVITY, request_only=True), _ACTIVITY_ANSWER],
    )
    def post(self, request: Request) -> Response:
        """Set up what recurs, as captain of that cell or community; its shifts are made at once."""
        data = changes_of(self.read(ActivityBody))
        place = {f"{name}_id": data.pop(name) for name in ("community", "cell")}
        when = {name: data.pop(name) for name in services.WHEN if name in data}

        def create(work: UnitOfWork) -> tuple[int, Any]:
            activity = services.create_activity(
                **place, **when, duty=DutyFields(**data), actor=member_of(request), now=work.now
            )
            return 201, activity_data(activity)

        return self.write(create)


class ActivityView(Endpoint):
    """GET, PATCH /activities/{id}."""

    @extend_schema(tags=_TAGS, responses=ActivityAnswer, examples=[_ACTIVITY_ANSWER])
    def get(self, request: Request, activity_id: int) -> Response:
        """Show what recurs, and when."""
        return Response(activity_data(activity_visible_to(member_of(request), activity_id)))

    @extend_schema(
        tags=_TAGS,
        request=ActivityChanges(partial=True),
        responses=ActivityAnswer,
        examples=[
            OpenApiExample("later", {"starts_local": "19:30"}, request_only=True),
            _ACTIVITY_ANSWER,
        ],
    )
    def patch(self, request: Request, activity_id: int) -> Response:
        """Change it, and likewise its coming shifts on which nobody sits.

        Shifts that people hold stay, and what a captain changed by hand on a single one.
        409 `seats_taken` where a plan names a seat that would go.
        """
        parsed = ActivityChanges(data=request.data, partial=True)
        parsed.is_valid(raise_exception=True)
        changes = changes_of(dict(parsed.validated_data))

        def change(work: UnitOfWork) -> tuple[int, Any]:
            activity = services.change_activity(
                activity_id=activity_id, changes=changes, actor=member_of(request), now=work.now
            )
            return 200, activity_data(activity)

        return self.write(change)
