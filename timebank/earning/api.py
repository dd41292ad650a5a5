"""Hours over HTTP: reading, approving, rejecting."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.api import Endpoint
from common.money import credits_text
from common.pagination import ByIdPagination
from common.unit_of_work import UnitOfWork
from grids.people.models import Member
from timebank.earning import queries, services
from timebank.earning.models import Category, HourLog
from timebank.earning.wording import sentences


class MemberOut(serializers.Serializer[Any]):
    """Whose hours."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class HourOut(serializers.Serializer[Any]):
    """One hour log."""

    id = serializers.IntegerField()
    member = MemberOut()
    community = serializers.IntegerField()
    category = serializers.ChoiceField(choices=Category.choices)
    title = serializers.CharField()
    worked_on = serializers.DateField()
    minutes = serializers.IntegerField()
    state = serializers.ChoiceField(choices=HourLog.State.choices)
    credits = serializers.CharField()
    why = serializers.ListField(child=serializers.CharField())
    rule_version = serializers.IntegerField(allow_null=True)
    evidence = serializers.JSONField()
    logged_at = serializers.DateTimeField()
    decided_by = serializers.IntegerField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    automatic = serializers.BooleanField()
    reason = serializers.CharField()


class RejectIn(serializers.Serializer[Any]):
    """Why these hours are not accepted; the member reads it."""

    reason = serializers.CharField(max_length=300)


class HourFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Which hours to list."""

    state = django_filters.ChoiceFilter(choices=HourLog.State.choices)
    community = django_filters.NumberFilter(
        field_name="community_id", min_value=1, max_value=2**63 - 1, decimal_places=0
    )
    member = django_filters.NumberFilter(
        field_name="member_id", min_value=1, max_value=2**63 - 1, decimal_places=0
    )

    class Meta:
        model = HourLog
        fields: list[str] = []


def hour_json(hour: HourLog) -> dict[str, Any]:
    """Return a log as the API shows it; `rule_version` is the table's number."""
    return {
        "id": hour.pk,
        "member": {"id": hour.member_id, "name": hour.member.display_name},
        "community": hour.community_id,
        "category": str(hour.category),
        "title": hour.title,
        "worked_on": hour.worked_on,
        "minutes": hour.minutes,
        "state": str(hour.state),
        "credits": credits_text(hour.credits_earned),
        "why": sentences(queries.why(hour)),
        "rule_version": hour.rule_version.number if hour.rule_version else None,
        "evidence": hour.evidence,
        "logged_at": hour.logged_at,
        "decided_by": hour.decided_by_id,
        "decided_at": hour.decided_at,
        "automatic": hour.automatic,
        "reason": hour.reason,
    }


_EXAMPLE = OpenApiExample(
    "Ninety minutes under Rongcheng's table",
    value={
        "id": 7, "member": {"id": 31, "name": "王芳"}, "community": 4, "category": "patrol",
        "title": "夜间巡逻", "worked_on": "2026-06-01", "minutes": 90, "state": "approved",
        "credits": "0.75",
        "why": ["Worked: 1 h 30 min.", "90 min × 0.50 per hour = 0.75", "Earned: 0.75"],
        "rule_version": 1, "evidence": {}, "logged_at": "2026-06-01T13:01:00Z", "decided_by": 9,
        "decided_at": "2026-06-01T13:20:00Z", "automatic": False, "reason": "",
    },
    response_only=True,
)  # fmt: skip


class HoursView(Endpoint, GenericAPIView[HourLog]):
    """Hours of one's own, and of the communities one looks after."""

    pagination_class = ByIdPagination
    filterset_class = HourFilter
    serializer_class = HourOut

    def get_queryset(self) -> QuerySet[HourLog]:
        actor = self.request.user
        if not isinstance(actor, Member):  # only while the schema is drawn
            return HourLog.objects.none()
        return queries.hours_visible_to(actor)

    @extend_schema(
        operation_id="hours_list",
        tags=["hours"],
        summary="List hours, newest first",
        description="Your own, those of people you act for, and those of communities you review.",
        responses=HourOut(many=True),
        examples=[_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([hour_json(hour) for hour in page or []])


class ApproveView(Endpoint):
    """Approve one log."""

    @extend_schema(
        operation_id="hours_approve",
        tags=["hours"],
        summary="Approve hours and pay their credits",
        description="403 `own_hours`, `entered_by_you`, `not_allowed`; 409 `already_decided`.",
        request=None,
        responses=HourOut,
        examples=[_EXAMPLE],
    )
    def post(self, request: Request, hour_log_id: int) -> Response:
        def service(work: UnitOfWork) -> tuple[int, dict[str, Any]]:
            hour = services.approve_hours(hour_log_id=hour_log_id, actor=work.actor, now=work.now)
            return 200, hour_json(hour)

        return self.write(service)


class RejectView(Endpoint):
    """Reject one log."""

    @extend_schema(
        operation_id="hours_reject",
        tags=["hours"],
        summary="Reject hours with a reason",
        description="403 `own_hours`, `entered_by_you`, `not_allowed`; 409 `already_decided`.",
        request=RejectIn,
        responses=HourOut,
        examples=[
            OpenApiExample(
                "A reason", value={"reason": "The patrol was cancelled."}, request_only=True
            ),
            _EXAMPLE,
        ],
    )
    def post(self, request: Request, hour_log_id: int) -> Response:
        sent = self.read(RejectIn)

        def service(work: UnitOfWork) -> tuple[int, dict[str, Any]]:
            hour = services.reject_hours(
                hour_log_id=hour_log_id, actor=work.actor, reason=sent["reason"], now=work.now
            )
            return 200, hour_json(hour)

        return self.write(service)
