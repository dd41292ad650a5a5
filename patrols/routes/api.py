"""/api/v1: tonight's way as JSON and GPX, a cell's route and coverage, and tracks."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common import clock
from common.api import KEY_HEADER, Endpoint, FiniteField, IdField
from common.errors import NotFound
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from grids.places.models import Cell
from patrols.routes import gpx, queries, services
from patrols.routes.models import CellRoute
from patrols.routes.rules import require_leads, require_route_of
from patrols.shifts.models import Shift
from patrols.shifts.queries import shift_visible_to
from patrols.shifts.serializers import Zoned

_TAGS = ["routes"]
_HISTORY_DAYS = 30
_WAY: dict[str, Any] = {
    "number": 2,
    "metres": 5120,
    "streets": [
        {"name": "文化路", "metres": 240, "again": False},
        {"name": "海滨街", "metres": 90, "again": True},
    ],
    "geometry": {"type": "LineString", "coordinates": [[122.41, 37.15], [122.42, 37.15]]},
}
_ROUTE: dict[str, Any] = {
    "cell": 21,
    "computed_at": "2026-06-01T14:00:00+08:00",
    "meeting": {"name": "社区门口", "lat": 37.155, "lon": 122.415},
    "limit_m": 6000,
    "streets_m": 9800,
    "single_m": 11240,
    "tours_m": 11900,
    "deadhead_share": 0.176,
    "tours_in_all": 2,
    "teams_a_night": 1,
    "tours": [_WAY],
    "unreached": [{"name": "岛路", "metres": 60, "reason": "no_way"}],
}


class MeetingOut(serializers.Serializer[Any]):
    """Where tours start and end."""

    name = serializers.CharField()
    lat = serializers.FloatField()
    lon = serializers.FloatField()


class LegOut(serializers.Serializer[Any]):
    """A street in the order walked; `again`: walked before, or not the cell's."""

    name = serializers.CharField()
    metres = serializers.IntegerField()
    again = serializers.BooleanField()


class WayOut(serializers.Serializer[Any]):
    """One tour."""

    number = serializers.IntegerField()
    metres = serializers.IntegerField()
    streets = LegOut(many=True)
    geometry = serializers.DictField()


class UnreachedOut(serializers.Serializer[Any]):
    """A piece of street that no tour can walk, and why."""

    name = serializers.CharField()
    metres = serializers.FloatField()
    reason = serializers.ChoiceField(choices=["no_way", "too_far"])


class RouteOut(serializers.Serializer[Any]):
    """A cell's route with all its tours, or those of one shift."""

    cell = serializers.IntegerField()
    computed_at = serializers.DateTimeField()
    meeting = MeetingOut()
    limit_m = serializers.FloatField()
    streets_m = serializers.FloatField()
    single_m = serializers.FloatField()
    tours_m = serializers.FloatField()
    deadhead_share = serializers.FloatField()
    tours_in_all = serializers.IntegerField()
    teams_a_night = serializers.IntegerField()
    tours = WayOut(many=True)
    unreached = UnreachedOut(many=True)


class StreetOut(serializers.Serializer[Any]):
    """A street of the cell; `days` since all of it was walked, or since it is in the route."""

    name = serializers.CharField()
    metres = serializers.IntegerField()
    walked_on = serializers.DateField(allow_null=True)
    tracked_on = serializers.DateField(allow_null=True)
    days = serializers.IntegerField()
    overdue = serializers.BooleanField()
    dates = serializers.DictField(child=serializers.FloatField())


class CoverageOut(serializers.Serializer[Any]):
    """A cell's streets, not walked for longest first."""

    cell = serializers.IntegerField()
    days = serializers.IntegerField()
    streets = StreetOut(many=True)


class CoverageQuery(serializers.Serializer[Any]):
    """After how many days a street is overdue."""

    days = serializers.IntegerField(default=queries.WEEK, min_value=1, max_value=365)


class PointIn(serializers.Serializer[Any]):
    """A position with its time."""

    at = Zoned()
    lat = FiniteField(min_value=-90, max_value=90)
    lon = FiniteField(min_value=-180, max_value=180)
    accuracy_m = FiniteField(required=False, allow_null=True, min_value=0, max_value=50_000_000)


class TrackIn(serializers.Serializer[Any]):
    """A batch of positions of one duty."""

    seat = IdField()
    points = serializers.ListField(child=PointIn(), min_length=1, max_length=services.MOST_POINTS)


class TrackOut(serializers.Serializer[Any]):
    """What came of a batch."""

    id = serializers.IntegerField()
    kept = serializers.IntegerField()
    left_out = serializers.IntegerField()


def route_json(route: CellRoute, ways: list[queries.Way]) -> dict[str, Any]:
    """Return a route with these of its tours, as the API shows it."""
    return {
        "cell": route.cell_id,
        "computed_at": route.computed_at,
        "meeting": {
            "name": route.meeting_name,
            "lat": route.meeting_lat,
            "lon": route.meeting_lon,
        },
        "limit_m": route.limit_m,
        "streets_m": route.streets_m,
        "single_m": route.single_m,
        "tours_m": route.tours_m,
        "deadhead_share": round(route.deadhead_share, 4),
        "tours_in_all": len(route.tours),
        "teams_a_night": queries.teams_of(route),
        "tours": [
            {
                "number": way.number + 1,
                "metres": round(way.metres),
                "streets": [
                    {"name": leg.name, "metres": leg.metres, "again": leg.again} for leg in way.legs
                ],
                "geometry": {"type": "LineString", "coordinates": way.line},
            }
            for way in ways
        ],
        "unreached": [
            {key: one[key] for key in ("name", "metres", "reason")} for one in route.unreached
        ],
    }


def _walked_by(request: Request, shift_id: int) -> tuple[Shift, queries.Tonight]:
    """Return a shift that the caller walks or leads, with its way; NotFound where it has none."""
    member = member_of(request)
    shift = shift_visible_to(member, shift_id)
    require_route_of(member, shift)
    found = queries.tonight(shift)
    if found is None:
        raise NotFound(_("This shift has no walking route (yet)."))
    return shift, found


class ShiftRouteView(Endpoint):
    """What one shift walks."""

    @extend_schema(
        operation_id="shifts_route",
        tags=_TAGS,
        summary="What a shift walks",
        description=(
            "For its team and its captains; 404 where the shift walks no cell or its route is "
            "not made yet. Each patrol of a cell has the next of its tours, so that every "
            "street has its turn within seven; a cell with more than seven tours sends "
            "`teams_a_night` teams."
        ),
        responses={200: RouteOut},
        examples=[OpenApiExample("route", _ROUTE, response_only=True)],
    )
    def get(self, request: Request, shift_id: int) -> Response:
        _shift, found = _walked_by(request, shift_id)
        return Response(route_json(found.route, found.ways))


class ShiftGpxView(Endpoint):
    """What one shift walks, for a phone or a watch."""

    @extend_schema(
        operation_id="shifts_route_gpx",
        tags=_TAGS,
        summary="What a shift walks, as GPX 1.1",
        responses={200: OpenApiResponse(OpenApiTypes.BINARY, "application/gpx+xml")},
    )
    def get(self, request: Request, shift_id: int) -> HttpResponse:
        shift, found = _walked_by(request, shift_id)
        route = found.route
        day = shift.local_date.isoformat()
        document = gpx.write(
            name=f"{shift.title} · {shift.cell} · {day}",
            made_at=route.computed_at,
            meeting=(
                route.meeting_name or _("Meeting point"),
                route.meeting_lon,
                route.meeting_lat,
            ),
            tracks=[
                (_("Tour %(number)d") % {"number": way.number + 1}, way.line) for way in found.ways
            ],
        )
        return HttpResponse(
            document,
            content_type=gpx.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="route-{shift.pk}-{day}.gpx"'},
        )


class CellRouteView(Endpoint):
    """All tours of a cell."""

    @extend_schema(
        operation_id="cells_route",
        tags=_TAGS,
        summary="All tours of a cell",
        description=(
            "For the cell's captains. `single_m` is the shortest single walk over all streets "
            "of the cell's largest connected part; `unreached` names what no tour can walk: "
            "`no_way` leads there, or it is `too_far` for one patrol."
        ),
        responses={200: RouteOut},
        examples=[OpenApiExample("route", _ROUTE, response_only=True)],
    )
    def get(self, request: Request, cell_id: int) -> Response:
        cell = _cell_led(request, cell_id)
        route = queries.route_of_cell(cell.pk)
        if route is None:
            raise NotFound(_("This cell has no walking route yet."))
        ways = [queries.way(route, number) for number in range(len(route.tours))]
        return Response(route_json(route, ways))


class CoverageView(Endpoint):
    """Which streets of a cell were walked when."""

    @extend_schema(
        operation_id="cells_coverage",
        tags=_TAGS,
        summary="Which streets of a cell were walked when",
        description=(
            "For the cell's captains; never says by whom. `walked_on`: the last day by which "
            "all of the street was walked, by the plan of a patrol that took place or by a "
            "track; `tracked_on`: by tracks alone. `dates`: the share walked on each of the "
            "last 30 days."
        ),
        parameters=[OpenApiParameter("days", int, description="Overdue after so many days (7)")],
        responses={200: CoverageOut},
        examples=[
            OpenApiExample(
                "coverage",
                {
                    "cell": 21,
                    "days": 7,
                    "streets": [
                        {
                            "name": "文化路", "metres": 480, "walked_on": "2026-05-20",
                            "tracked_on": None, "days": 12, "overdue": True,
                            "dates": {"2026-05-20": 1.0, "2026-05-27": 0.5},
                        }
                    ],
                },
                response_only=True,
            )
        ],
    )  # fmt: skip
    def get(self, request: Request, cell_id: int) -> Response:
        cell = _cell_led(request, cell_id)
        days = self.read_query(CoverageQuery)["days"]
        today = clock.now().astimezone(ZoneInfo(cell.community.zone)).date()
        streets = queries.streets_walked([cell], today=today)
        queries.add_dates(streets, since=today - timedelta(days=_HISTORY_DAYS))
        return Response(
            {
                "cell": cell.pk,
                "days": days,
                "streets": [
                    {
                        "name": one.name,
                        "metres": round(one.metres),
                        "walked_on": one.walked_on,
                        "tracked_on": one.tracked_on,
                        "days": one.days,
                        "overdue": one.days > days,
                        "dates": {
                            day.isoformat(): round(share, 2)
                            for day, share in sorted(one.dates.items())
                        },
                    }
                    for one in streets
                ],
            }
        )


def _cell_led(request: Request, cell_id: int) -> Cell:
    member = member_of(request)
    cell = queries.cell_visible_to(member, cell_id)
    require_leads(member, cell)
    return cell


class TracksView(Endpoint):
    """Take the positions of a member on duty."""

    @extend_schema(
        operation_id="tracks_create",
        tags=_TAGS,
        summary="Send positions noted while on duty",
        description=(
            "Safe to repeat with the same key, and as late as the net allows: points are judged "
            "by their own times. Refused: 403 `tracks_off` where the member has not switched "
            "them on (consent `track`), 409 `not_your_seat`, `no_route`, `not_on_duty` where no "
            "point lies between check-in and check-out; single points outside are left out. "
            f"At most {services.MOST_POINTS} points a batch."
        ),
        parameters=[KEY_HEADER],
        request=TrackIn,
        responses={201: TrackOut},
        examples=[
            OpenApiExample(
                "A batch",
                {
                    "seat": 2440,
                    "points": [
                        {
                            "at": "2026-06-01T19:40:00+08:00", "lat": 37.1553, "lon": 122.4152,
                            "accuracy_m": 12,
                        }
                    ],
                },
                request_only=True,
            ),
            OpenApiExample("Taken", {"id": 9, "kept": 1, "left_out": 0}, response_only=True),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = self.read(TrackIn)
        points = [
            services.Point(point["at"], point["lat"], point["lon"], point.get("accuracy_m"))
            for point in sent["points"]
        ]

        def service(work: UnitOfWork) -> tuple[int, dict[str, Any]]:
            taken = services.take_track(
                actor=work.actor, seat_id=sent["seat"], points=points, now=work.now
            )
            return 201, {
                "id": taken.batch.pk,
                "kept": taken.kept,
                "left_out": taken.left_out,
            }

        return self.write(service, key_required=True)
