"""Check-ins over HTTP."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import KEY_HEADER, Endpoint, FiniteField, IdField
from common.money import credits_text
from common.unit_of_work import UnitOfWork
from grids.people.backends import member_of
from patrols.checkins import queries, services
from patrols.shifts.serializers import Zoned


class CheckInIn(serializers.Serializer[Any]):
    """A check-in as a phone sends it."""

    seat = IdField()
    kind = serializers.ChoiceField(choices=["in", "out"])
    occurred_at = Zoned(
        required=False, allow_null=True, help_text="When it was tapped; missing: now"
    )
    lat = FiniteField(required=False, allow_null=True, min_value=-90, max_value=90)
    lon = FiniteField(required=False, allow_null=True, min_value=-180, max_value=180)
    accuracy_m = FiniteField(required=False, allow_null=True, min_value=0, max_value=50_000_000)
    code = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=40,
        help_text="The code shown at the meeting point",
    )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs.get("lat") is None) != (attrs.get("lon") is None):
            missing = "lat" if attrs.get("lat") is None else "lon"
            raise serializers.ValidationError({missing: [_("Send both lat and lon, or neither.")]})
        return attrs


class HoursOut(serializers.Serializer[Any]):
    """The hours that a check-out logged."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["pending", "approved", "rejected"])
    minutes = serializers.IntegerField()
    credits = serializers.CharField()


class CheckInOut(serializers.Serializer[Any]):
    """What a check-in was found to prove."""

    id = serializers.IntegerField()
    seat = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=["in", "out"])
    occurred_at = serializers.DateTimeField()
    verdict = serializers.ChoiceField(choices=["accepted", "review"])
    reasons = serializers.ListField(child=serializers.CharField())
    hours = HoursOut(allow_null=True)
    retypes_left = serializers.IntegerField(
        help_text="How often a wrong code may be typed again, at /checkins/{id}/code"
    )


def checkin_json(recorded: services.Recorded, now: datetime) -> dict[str, Any]:
    """Return a check-in as the API shows it."""
    checkin, hours = recorded.checkin, recorded.hours
    return {
        "id": checkin.pk,
        "seat": checkin.seat_id,
        "kind": str(checkin.kind),
        "occurred_at": checkin.occurred_at,
        "verdict": str(checkin.verdict),
        "reasons": checkin.reasons,
        "hours": hours
        and {
            "id": hours.pk,
            "state": str(hours.state),
            "minutes": hours.minutes,
            "credits": credits_text(hours.credits_earned),
        },
        "retypes_left": queries.retypes_left(checkin, now),
    }


class CheckInsView(Endpoint):
    """Check in or out."""

    @extend_schema(
        operation_id="checkins_create",
        tags=["check-ins"],
        summary="Check in or out",
        description=(
            "Safe to repeat with the same key. Judged by `occurred_at`: refused (409 "
            "`not_your_seat`, `too_early`, `too_late`, `already_checked_in`, and "
            "`overlapping_shift` after a missed shift), accepted, or "
            "`review` with reasons: `late_arrival`, `out_before_in`, `late_checkout`, "
            "`clock_skew`, `late_upload`, `wrong_code`, `no_evidence`, `no_place`, "
            "`weak_position`, `outside_cell`."
        ),
        parameters=[KEY_HEADER],
        request=CheckInIn,
        responses={201: CheckInOut},
        examples=[
            OpenApiExample(
                "Check in by position",
                value={
                    "seat": 12, "kind": "in", "occurred_at": "2026-06-01T19:31:00+08:00",
                    "lat": 37.1553, "lon": 122.4152, "accuracy_m": 12, "code": None,
                },
                request_only=True,
            ),
            OpenApiExample(
                "A check-out whose hours were approved at once",
                value={
                    "id": 90, "seat": 12, "kind": "out",
                    "occurred_at": "2026-06-01T21:01:00+08:00", "verdict": "accepted",
                    "reasons": [],
                    "hours": {"id": 7, "state": "approved", "minutes": 90, "credits": "0.75"},
                    "retypes_left": 0,
                },
                response_only=True,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        sent = self.read(CheckInIn)

        def service(work: UnitOfWork) -> tuple[int, dict[str, Any]]:
            recorded = services.check_in(
                actor=work.actor,
                seat_id=sent["seat"],
                kind=sent["kind"],
                occurred_at=sent.get("occurred_at"),
                lat=sent.get("lat"),
                lon=sent.get("lon"),
                accuracy_m=sent.get("accuracy_m"),
                code=sent.get("code") or "",
                now=work.now,
            )
            return 201, checkin_json(recorded, work.now)

        return self.write(service, key_required=True)


class CodeIn(serializers.Serializer[Any]):
    """The code as it was meant."""

    code = serializers.CharField(max_length=40, help_text="The code shown at the meeting point")


class CheckInCodeView(Endpoint):
    """Type a mistyped code again."""

    @extend_schema(
        operation_id="checkins_code",
        tags=["check-ins"],
        summary="Type a mistyped code again",
        description=(
            "For one's own check-in with the reason `wrong_code`, within 15 minutes and four "
            "times, until somebody decides on its hours; its time and position stay, and the "
            "reasons about its time. 409 `code_settled` afterwards: a reviewer looks at it."
        ),
        parameters=[KEY_HEADER],
        request=CodeIn,
        responses={200: CheckInOut},
        examples=[
            OpenApiExample("The code", value={"code": "AB12CD"}, request_only=True),
            OpenApiExample(
                "Now it is right",
                value={
                    "id": 89, "seat": 12, "kind": "in",
                    "occurred_at": "2026-06-01T19:31:00+08:00", "verdict": "accepted",
                    "reasons": [], "hours": None, "retypes_left": 0,
                },
                response_only=True,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request, checkin_id: int) -> Response:
        code = self.read(CodeIn)["code"]

        def service(work: UnitOfWork) -> tuple[int, dict[str, Any]]:
            recorded = services.retype_code(
                checkin_id=checkin_id, code=code, actor=member_of(request), now=work.now
            )
            return 200, checkin_json(recorded, work.now)

        return self.write(service, key_required=True)
