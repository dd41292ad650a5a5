"""Activities, the shifts they recur as, and the seats that people fill."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from grids.places.models import Cell, Community
from timebank.earning.models import Category


class Kind(models.TextChoices):
    """What sort of duty it is."""

    PATROL = "patrol", _("Patrol")
    KITCHEN = "kitchen", _("Public kitchen")
    TASK = "task", _("Task")
    EVENT = "event", _("Event")
    POST = "post", _("Standing post")
    ERRAND = "errand", _("Errand")


class Duty(models.Model):
    """What an activity and each of its shifts have in common; copied when materialised."""

    kind = models.CharField(max_length=10, choices=Kind)
    category = models.CharField(max_length=12, choices=Category)
    title = models.CharField(max_length=120)
    seats_total = models.PositiveSmallIntegerField(default=3)
    required_skills: Any = models.JSONField(default=list, blank=True, help_text=_("Skill codes"))
    wants_experienced = models.BooleanField(default=False)
    meeting_name = models.CharField(max_length=120, blank=True)
    meeting_lat = models.FloatField(null=True, blank=True)
    meeting_lon = models.FloatField(null=True, blank=True)
    early_minutes = models.PositiveSmallIntegerField(
        default=30, help_text=_("How long before the start check-in opens")
    )
    late_minutes = models.PositiveSmallIntegerField(
        default=15, help_text=_("How long after the start a check-in still counts as on time")
    )

    class Meta:
        abstract = True


class Activity(Duty):
    """A duty that recurs by an RFC 5545 RRULE in the community's local time."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="activities")
    cell = models.ForeignKey(
        Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="activities"
    )
    rrule = models.CharField(max_length=300, default="FREQ=DAILY")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    starts_local = models.TimeField()
    duration_minutes = models.PositiveSmallIntegerField(default=90)
    active = models.BooleanField(default=True)
    materialised_until = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "activities"

    def __str__(self) -> str:
        return self.title


class Shift(Duty):
    """One dated duty with its seats; belongs to the local date on which it starts."""

    class State(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        CANCELLED = "cancelled", _("Cancelled")

    activity = models.ForeignKey(
        Activity, null=True, blank=True, on_delete=models.PROTECT, related_name="shifts"
    )
    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="shifts")
    cell = models.ForeignKey(
        Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="shifts"
    )
    state = models.CharField(max_length=10, choices=State, default=State.SCHEDULED)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    local_date = models.DateField()
    open_seats = models.PositiveSmallIntegerField()
    meeting_code = models.CharField(max_length=8, help_text=_("Shown at the meeting point"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="ends_after"),
            models.CheckConstraint(
                condition=Q(open_seats__lte=F("seats_total")), name="open_within_total"
            ),
            models.UniqueConstraint(
                fields=["activity", "local_date"],
                condition=Q(activity__isnull=False),
                name="materialised_once",
            ),
        ]
        indexes = [
            models.Index(fields=["community", "starts_at", "id"], name="shifts_of_community"),
            models.Index(fields=["cell", "starts_at"], name="shifts_of_cell"),
        ]

    def __str__(self) -> str:
        return self.title


class Seat(models.Model):
    """One place in a shift. Start and end are copied here so that the database itself can
    refuse one person in two overlapping seats (an exclusion constraint on PostgreSQL, triggers
    on SQLite).
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        CLAIMED = "claimed", _("Claimed")
        ASSIGNED = "assigned", _("Assigned")
        CHECKED_IN = "checked_in", _("Checked in")
        CHECKED_OUT = "checked_out", _("Checked out")
        NO_SHOW = "no_show", _("Did not come")

    shift = models.ForeignKey(Shift, on_delete=models.PROTECT, related_name="seats")
    index = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    member = models.ForeignKey(
        Member, null=True, blank=True, on_delete=models.PROTECT, related_name="seats"
    )
    locked = models.BooleanField(default=False, help_text=_("Fixed by a captain"))
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shift", "index"], name="seat_once"),
            models.UniqueConstraint(
                fields=["shift", "member"],
                condition=Q(member__isnull=False),
                name="one_seat_a_shift",
            ),
            models.CheckConstraint(
                condition=Q(state="open", member__isnull=True)
                | (~Q(state="open") & Q(member__isnull=False)),
                name="open_means_empty",
            ),
        ]
        indexes = [
            models.Index(fields=["member", "starts_at"], name="seats_of_member"),
            # What jobs look for after the end: few rows, however long the history.
            models.Index(
                fields=["ends_at"],
                condition=Q(state__in=["claimed", "assigned", "checked_in"]),
                name="seats_to_close",
            ),
        ]
