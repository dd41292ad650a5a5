"""Hours worked, and the dated rules that say what an hour is worth."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.people.models import HolderClass, Member
from grids.places.models import Community
from timebank.ledger.models import Posting


class Category(models.TextChoices):
    """What an hour was given to; earning rules are written by category."""

    PATROL = "patrol", _("Patrol")
    KITCHEN = "kitchen", _("Public kitchen")
    ERRAND = "errand", _("Errand for a neighbour")
    EVENT = "event", _("Event")
    POST = "post", _("Standing post")
    TASK = "task", _("Task")


class RuleVersion(models.Model):
    """A community's earning table from a date on; later versions never touch the past."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="rule_versions")
    number = models.PositiveIntegerField()
    starts_on = models.DateField()
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "number"], name="rule_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.community} v{self.number}"


class RuleLine(models.Model):
    """Hundredths of a credit per hour and flat, for one category (blank: all) and class."""

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="lines")
    category = models.CharField(max_length=12, choices=Category, blank=True)
    holder_class = models.CharField(max_length=16, choices=HolderClass, blank=True)
    per_hour = models.PositiveIntegerField(default=0)
    flat = models.PositiveIntegerField(default=0)
    most_minutes_a_day = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "category", "holder_class"], name="one_line_each"
            )
        ]


class HourLog(models.Model):
    """Minutes that a member gave; credits follow when somebody else approves them.

    `source_type` and `source_id` name what the hours come from (such as a seat), once.
    Approved minutes stay for ever as honour hours, apart from credits. `counted_minutes` (after
    the cap of a day) and `rule_line` say later why it earned what it earned. `entered_by` wrote
    down the evidence and so never decides on it.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="hour_logs")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="hour_logs")
    category = models.CharField(max_length=12, choices=Category)
    title = models.CharField(max_length=160)
    worked_on = models.DateField()
    minutes = models.PositiveIntegerField()
    source_type = models.CharField(max_length=40)
    source_id = models.BigIntegerField()
    evidence: Any = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    logged_at = models.DateTimeField()
    entered_by = models.ForeignKey(
        Member, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_by = models.ForeignKey(Member, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    automatic = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    rule_version = models.ForeignKey(
        RuleVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    rule_line = models.ForeignKey(RuleLine, null=True, on_delete=models.PROTECT, related_name="+")
    counted_minutes = models.PositiveIntegerField(default=0)
    credits_earned = models.BigIntegerField(default=0)
    posting = models.OneToOneField(
        Posting, null=True, on_delete=models.PROTECT, related_name="hour_log"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source_type", "source_id"], name="hours_once"),
            models.CheckConstraint(
                name="nobody_approves_their_own",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=models.F("member")),
            ),
            models.CheckConstraint(
                name="nobody_approves_what_they_entered",
                condition=Q(decided_by__isnull=True)
                | Q(entered_by__isnull=True)
                | ~Q(decided_by=models.F("entered_by")),
            ),
            models.CheckConstraint(
                name="decided_once_and_dated",
                condition=Q(state="pending", decided_at__isnull=True)
                | (~Q(state="pending") & Q(decided_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["community", "state", "-id"], name="hours_queue"),
            models.Index(fields=["member", "-id"], name="hours_of_member"),
        ]
