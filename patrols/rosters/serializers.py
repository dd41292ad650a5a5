"""What the calls about rosters and availability read and answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api import FiniteField, IdField
from patrols.rosters.models import RosterRun
from patrols.rosters.services import MOST_DAYS, MOST_SECONDS, MOST_WINDOWS
from patrols.shifts.serializers import MemberRef

Body = serializers.Serializer[Any]


class _RosterBody(Body):
    community = IdField()
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=7)
    seconds = FiniteField(min_value=1, max_value=MOST_SECONDS, default=30)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=1)


# `from` is a word of Python's own.
RosterBody = type(
    "RosterBody", (_RosterBody,), {"from": serializers.DateField(required=False, allow_null=True)}
)


@extend_schema_field({"type": "string", "pattern": r"^\d\d:\d\d(:\d\d)?$", "example": "18:00"})
class ClockField(serializers.TimeField):
    """A local time of day; OpenAPI's own "time" would demand an offset."""


class _WindowBody(Body):
    weekday = serializers.IntegerField(min_value=1, max_value=7)
    until = ClockField()


WindowBody = type("WindowBody", (_WindowBody,), {"from": ClockField()})


class _ExceptionBody(Body):
    on = serializers.DateField()
    available = serializers.BooleanField(default=False)
    until = ClockField(allow_null=True, default=None)


ExceptionBody = type(
    "ExceptionBody",
    (_ExceptionBody,),
    {"from": ClockField(allow_null=True, default=None)},
)


class LimitsBody(Body):
    """How often somebody is willing to come."""

    most_shifts_a_week = serializers.IntegerField(min_value=0, max_value=21, required=False)
    most_minutes_a_week = serializers.IntegerField(
        min_value=0, max_value=10_080, allow_null=True, required=False
    )
    most_days_in_a_row = serializers.IntegerField(
        min_value=1, max_value=31, allow_null=True, required=False
    )
    neighbouring_cells = serializers.BooleanField(required=False)


class AvailabilityBody(Body):
    """What is left out stays as it was."""

    windows = WindowBody(many=True, required=False, max_length=MOST_WINDOWS)
    exceptions = ExceptionBody(many=True, required=False, max_length=MOST_WINDOWS)
    limits = LimitsBody(required=False)


class ReplacementAnswer(Body):
    """Somebody who could take the seat."""

    member = MemberRef()
    reasons = serializers.ListField(child=serializers.CharField())
    load = serializers.IntegerField(help_text="seats in the last 28 days")
    score = serializers.IntegerField()


class ReplacementsAnswer(Body):
    """Best first."""

    results = ReplacementAnswer(many=True)


class AskedAnswer(Body):
    """The run that will hold the plan."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RosterRun.State.choices)


class _PlannedAnswer(Body):
    seat = serializers.IntegerField()
    shift = serializers.IntegerField()
    member = MemberRef()
    why = serializers.DictField()


class _OpenAnswer(Body):
    seat = serializers.IntegerField()
    shift = serializers.IntegerField()
    reason = serializers.CharField()
    text = serializers.CharField()


class _SkippedAnswer(Body):
    seat = serializers.IntegerField()
    reason = serializers.CharField()
    text = serializers.CharField()


class _RunAnswer(Body):
    id = serializers.IntegerField()
    community = serializers.IntegerField()
    days = serializers.IntegerField()
    state = serializers.ChoiceField(choices=RosterRun.State.choices)
    seats_total = serializers.IntegerField()
    seats_filled = serializers.IntegerField()
    objective = serializers.IntegerField(allow_null=True)
    bound = serializers.IntegerField(allow_null=True)
    gap = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    method = serializers.CharField(allow_null=True)
    cut_off = serializers.BooleanField(allow_null=True)
    assigned = serializers.IntegerField(allow_null=True)
    skipped = _SkippedAnswer(many=True)
    error = serializers.CharField()
    asked_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    applied_at = serializers.DateTimeField(allow_null=True)
    planned = _PlannedAnswer(many=True)
    open = _OpenAnswer(many=True)


RunAnswer = type("RunAnswer", (_RunAnswer,), {"from": serializers.DateField()})
