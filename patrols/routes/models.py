"""A cell's walking route, what was walked of its streets, and tracks while they are kept."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from grids.places.models import Cell, CellPlan
from patrols.shifts.models import Seat, Shift


class CellRoute(models.Model):
    """The tours over a cell's streets in one plan; made anew when `fingerprint` changes.

    `stretches`: [{key, street, name, metres, own, line: [[lon, lat]…]}]; `tours`: [{metres,
    steps: [[stretch, forward, serves]…]}]; `unreached`: [{key, name, metres, reason}].
    """

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="routes")
    plan = models.ForeignKey(CellPlan, on_delete=models.CASCADE, related_name="routes")
    fingerprint = models.CharField(max_length=64)
    computed_at = models.DateTimeField()
    meeting_name = models.CharField(max_length=120, blank=True)
    meeting_lat = models.FloatField()
    meeting_lon = models.FloatField()
    limit_m = models.FloatField()
    streets_m = models.FloatField()
    single_m = models.FloatField()
    tours_m = models.FloatField()
    stretches: Any = models.JSONField(default=list)
    tours: Any = models.JSONField(default=list)
    unreached: Any = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cell", "plan"], name="route_once")]

    @property
    def deadhead_share(self) -> float:
        """Return the share of all tours that is walked again, or outside the cell's streets."""
        return max(0.0, 1 - self.streets_m / self.tours_m) if self.tours_m else 0.0


class CellStretch(models.Model):
    """A piece of a street in a cell and when it was last walked; `key` outlives new routes.

    `current` ones are in the cell's route now. `planned_on`: it was on the tour of a patrol that
    took place; `tracked_on`: a track shows it.
    """

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="stretches")
    key = models.CharField(max_length=40)
    street = models.CharField(max_length=80)
    name = models.CharField(max_length=160, blank=True)
    metres = models.FloatField()
    current = models.BooleanField(default=True)
    since = models.DateField(help_text=_("When it first was in the cell's route"))
    planned_on = models.DateField(null=True, blank=True)
    tracked_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "cell stretches"
        constraints = [models.UniqueConstraint(fields=["cell", "key"], name="stretch_once")]

    def __str__(self) -> str:
        return self.name or self.key


class Walk(models.Model):
    """Which stretches of a cell one shift walked; by plan, or as tracks show. Names nobody."""

    class Source(models.TextChoices):
        PLANNED = "planned", _("By the plan of a patrol that took place")
        TRACKED = "tracked", _("Shown by a track")

    shift = models.ForeignKey(Shift, on_delete=models.PROTECT, related_name="walks")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="walks")
    source = models.CharField(max_length=8, choices=Source)
    walked_on = models.DateField()
    keys: Any = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["shift", "source"], name="walk_once")]
        indexes = [models.Index(fields=["cell", "walked_on"], name="walks_of_cell")]


class TrackBatch(models.Model):
    """Positions of one member on duty, as the phone sent them; erased after the retention time.

    `points`: [[seconds since 1970, lat, lon, accuracy in metres or null]…].
    """

    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="tracks")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="tracks")
    received_at = models.DateTimeField(db_index=True)
    points: Any = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "track batches"
        indexes = [models.Index(fields=["member", "seat"], name="tracks_of_member")]
