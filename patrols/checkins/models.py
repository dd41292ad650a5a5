"""Evidence that somebody was there."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from patrols.shifts.models import Seat


class CheckIn(models.Model):
    """One check-in or check-out with its evidence and verdict.

    Never edited but for a mistyped code, which its member may type again at once (`retypes`).
    `occurred_at` is the device's word, `received_at` ours; positions are erased after the
    retention time.
    """

    class Kind(models.TextChoices):
        IN = "in", _("Check-in")
        OUT = "out", _("Check-out")

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", _("Accepted")
        REVIEW = "review", _("To be reviewed")

    class Method(models.TextChoices):
        POSITION = "position", _("Position")
        CODE = "code", _("Code at the meeting point")
        NONE = "none", _("Neither")

    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="checkins")
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="checkins")
    kind = models.CharField(max_length=3, choices=Kind)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    accuracy_m = models.FloatField(null=True)
    distance_m = models.FloatField(null=True)
    method = models.CharField(max_length=8, choices=Method)
    verdict = models.CharField(max_length=8, choices=Verdict)
    reasons: Any = models.JSONField(default=list)
    retypes = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["seat", "member", "kind"], name="checkin_once")
        ]
        indexes = [models.Index(fields=["member", "-id"], name="checkins_of_member")]
