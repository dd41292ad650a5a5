"""What the calls about shifts read; the answers are documented here too."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from common.api import FiniteField, IdField
from patrols.shifts.models import Kind
from patrols.shifts.services.duties import MOST_SEATS
from timebank.earning.models import Category

Body = serializers.Serializer[Any]
_YEARS = (date(2000, 1, 1), date(2200, 1, 1))


class Zoned(serializers.DateTimeField):
    """An instant with a zone; one without would be read by the server's clock."""

    default_error_messages = {"zone": _("Add the zone, such as +08:00 or Z.")}

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str):
            try:
                parsed = parse_datetime(value)
            except ValueError:
                parsed = None
            if parsed is not None and parsed.tzinfo is None:
                self.fail("zone")
        return super().to_internal_value(value)


class Instant(Zoned):
    """An instant in years that a shift may be meant in."""

    default_error_messages = {"range": _("This year can't be meant.")}

    def to_internal_value(self, value: Any) -> datetime:
        instant = super().to_internal_value(value)
        if not _YEARS[0] < instant.date() < _YEARS[1]:
            self.fail("range")
        return instant


class WallTime(serializers.TimeField):
    """A time by the community's own clock; a zone is refused, since Django would drop it unread."""

    default_error_messages = {
        "zone": _("Write it by the community's clock, without a zone, such as 19:00.")
    }

    def to_internal_value(self, value: Any) -> time:
        if isinstance(value, str):
            try:
                zoned = time.fromisoformat(value).tzinfo is not None
            except ValueError:
                zoned = False
            if zoned:
                self.fail("zone")
        return super().to_internal_value(value)


class DutyBody(Body):
    """The fields that a captain may set on any duty."""

    title = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(choices=Kind.choices)
    seats = serializers.IntegerField(min_value=1, max_value=MOST_SEATS, default=3)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    required_skills = serializers.ListField(
        child=serializers.SlugField(max_length=50), max_length=20, required=False
    )
    wants_experienced = serializers.BooleanField(required=False)
    meeting_name = serializers.CharField(max_length=120, allow_blank=True, required=False)
    meeting_lat = FiniteField(min_value=-90, max_value=90, allow_null=True, required=False)
    meeting_lon = FiniteField(min_value=-180, max_value=180, allow_null=True, required=False)
    early_minutes = serializers.IntegerField(min_value=0, max_value=240, required=False)
    late_minutes = serializers.IntegerField(min_value=0, max_value=240, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a place where it is settled: a change has no such field."""
        settled = [name for name in ("community", "cell") if name in self.initial_data]
        faults = {
            name: [_("Its place can't be changed. Make another one there.")]
            for name in settled
            if name not in self.fields
        }
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class ShiftBody(DutyBody):
    """A new shift."""

    community = IdField()
    cell = IdField(allow_null=True, default=None)
    starts_at = Instant()
    ends_at = Instant()


class ShiftChanges(DutyBody):
    """What changes of a shift; what is left out stays."""

    starts_at = Instant()
    ends_at = Instant()


class Day(serializers.DateField):
    """A local date in years that an activity may be meant in."""

    default_error_messages = {"range": _("This year can't be meant.")}

    def to_internal_value(self, value: Any) -> date:
        day: date = super().to_internal_value(value)
        if not _YEARS[0] < day < _YEARS[1]:
            self.fail("range")
        return day


class ActivityChanges(DutyBody):
    """What changes of an activity; what is left out stays. Its place is settled when it is made."""

    rrule = serializers.CharField(max_length=300, default="FREQ=DAILY")
    starts_on = Day()
    ends_on = Day(allow_null=True, default=None)
    starts_local = WallTime()
    duration_minutes = serializers.IntegerField(min_value=1, max_value=24 * 60, default=90)
    active = serializers.BooleanField(required=False)


class ActivityBody(ActivityChanges):
    """A new activity."""

    community = IdField()
    cell = IdField(allow_null=True, default=None)
    active = None  # type: ignore[assignment]  # a new one always is


class ActivityAnswer(Body):
    """An activity; its shifts are listed under /shifts."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    category = serializers.ChoiceField(choices=Category.choices)
    community = serializers.IntegerField()
    cell = serializers.IntegerField(allow_null=True)
    rrule = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True)
    starts_local = serializers.CharField()
    duration_minutes = serializers.IntegerField()
    active = serializers.BooleanField()
    seats = serializers.IntegerField()
    required_skills = serializers.ListField(child=serializers.CharField())
    wants_experienced = serializers.BooleanField()
    meeting_name = serializers.CharField(allow_blank=True)
    meeting_lat = serializers.FloatField(allow_null=True)
    meeting_lon = serializers.FloatField(allow_null=True)
    early_minutes = serializers.IntegerField()
    late_minutes = serializers.IntegerField()


class AssignBody(Body):
    """Whom to seat."""

    member = IdField()


class ReleaseBody(Body):
    """Whose seat a captain opens; left out: one's own."""

    member = IdField(required=False, allow_null=True, default=None)


class Moment(serializers.Field[Any, Any, Any, Any]):
    """A date (2026-06-01, local) or an instant with its zone."""

    default_error_messages = {"moment": _("Write a date or an instant with its zone.")}

    def to_internal_value(self, data: Any) -> date | datetime:
        text = str(data).strip()
        try:
            # A "+" in a query that nobody escaped arrives as a blank.
            found = parse_date(text) or parse_datetime(text.replace(" ", "+"))
        except ValueError:
            found = None
        if found is None or (isinstance(found, datetime) and found.tzinfo is None):
            self.fail("moment")
        day = found.date() if isinstance(found, datetime) else found
        if not _YEARS[0] < day < _YEARS[1]:
            self.fail("moment")
        return found


class ActivityQuery(Body):
    """Where to look."""

    community = IdField(required=False)


class _ShiftQuery(Body):
    community = IdField(required=False)
    cell = IdField(required=False)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    open = serializers.BooleanField(required=False, allow_null=True, default=None)
    to = Moment(required=False)


# `from` is a word of Python's own.
ShiftQuery = type("ShiftQuery", (_ShiftQuery,), {"from": Moment(required=False)})


def since(moment: date | datetime) -> Q:
    """Filter shifts that start at or after a moment, or on or after a local date."""
    if isinstance(moment, datetime):
        return Q(starts_at__gte=moment)
    return Q(local_date__gte=moment)


def before(moment: date | datetime) -> Q:
    """Filter shifts that start before a moment, or on or before a local date."""
    if isinstance(moment, datetime):
        return Q(starts_at__lt=moment)
    return Q(local_date__lt=moment + timedelta(days=1))


class MemberRef(Body):
    """A member as fellow people see them."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class SeatAnswer(Body):
    """A seat."""

    id = serializers.IntegerField()
    index = serializers.IntegerField()
    state = serializers.CharField()
    member = MemberRef(allow_null=True)


class TakenSeat(SeatAnswer):
    """A seat that changed hands, and how many its shift has left."""

    shift = serializers.IntegerField()
    open_seats = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class ShiftRow(Body):
    """A shift in a list."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    category = serializers.ChoiceField(choices=Category.choices)
    state = serializers.CharField()
    community = serializers.IntegerField()
    cell = serializers.IntegerField(allow_null=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    local_date = serializers.DateField()
    seats_total = serializers.IntegerField()
    open_seats = serializers.IntegerField()
    required_skills = serializers.ListField(child=serializers.CharField())
    wants_experienced = serializers.BooleanField()
    meeting_name = serializers.CharField()
    meeting_lat = serializers.FloatField(allow_null=True)
    meeting_lon = serializers.FloatField(allow_null=True)
    activity = serializers.IntegerField(allow_null=True)


class ShiftAnswer(ShiftRow):
    """A shift with its seats; `meeting_code` is for its captain only."""

    meeting_code = serializers.CharField(allow_null=True)
    seats = SeatAnswer(many=True)
