"""When people can come, how often, and the plans that the solver made."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from grids.places.models import Community
from patrols.shifts.models import Seat


class Limits(models.Model):
    """What a member is willing to do in a week."""

    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="limits")
    most_shifts_a_week = models.PositiveSmallIntegerField(default=2)
    most_minutes_a_week = models.PositiveIntegerField(null=True, blank=True)
    most_days_in_a_row = models.PositiveSmallIntegerField(null=True, blank=True)
    experienced = models.BooleanField(default=False)
    neighbouring_cells = models.BooleanField(default=True)


class Availability(models.Model):
    """A weekly window in local time; `until` at or before `from_time` runs past midnight."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="availabilities")
    weekday = models.PositiveSmallIntegerField(help_text=_("1 is Monday, 7 Sunday"))
    from_time = models.TimeField()
    until_time = models.TimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weekday__gte=1, weekday__lte=7), name="a_weekday"),
            models.UniqueConstraint(
                fields=["member", "weekday", "from_time"], name="one_window_each"
            ),
        ]


class AvailabilityException(models.Model):
    """A date on which the weekly pattern doesn't hold: away, or free beside it."""

    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="availability_exceptions"
    )
    on = models.DateField()
    available = models.BooleanField(default=False)
    from_time = models.TimeField(null=True, blank=True)
    until_time = models.TimeField(null=True, blank=True)


class RosterRun(models.Model):
    """One plan: asked for, solved, then applied in one transaction."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        READY = "ready", _("Ready")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="roster_runs")
    asked_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    from_on = models.DateField()
    days = models.PositiveSmallIntegerField(default=7)
    seed = models.BigIntegerField(default=1)
    seconds_allowed = models.FloatField(default=30)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    seats_total = models.PositiveIntegerField(default=0)
    seats_filled = models.PositiveIntegerField(default=0)
    objective = models.BigIntegerField(null=True)
    bound = models.BigIntegerField(null=True)
    gap = models.FloatField(null=True)
    seconds = models.FloatField(null=True)
    measures: Any = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)


class RosterSeat(models.Model):
    """What a plan says of one seat: a member and why, or why it stays open."""

    run = models.ForeignKey(RosterRun, on_delete=models.CASCADE, related_name="planned")
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="+")
    member = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    why: Any = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "seat"], name="planned_once")]
