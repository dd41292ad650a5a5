"""Communities, their buildings and streets, and the cells drawn over them."""

import secrets
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

# As many as a chat group holds.
GROUP_MOST = 500


def new_join_key() -> str:
    """Make the secret part of a cell's invitation link."""
    return secrets.token_urlsafe(12)


class Community(models.Model):
    """One node of the tree: district → street → community.

    `path` is "/1/4/9/", ids from the root to this row, so that a subtree is one prefix query.
    Settings that a council may change stand here; money and hours never do.
    `ground_version` counts the imports of buildings and streets: what is drawn of them is kept
    until it changes.
    """

    class Level(models.TextChoices):
        DISTRICT = "district", _("District")
        STREET = "street", _("Street")
        COMMUNITY = "community", _("Community")

    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    level = models.CharField(max_length=12, choices=Level, default=Level.COMMUNITY)
    path = models.CharField(max_length=255, db_index=True, blank=True, editable=False)
    zone = models.CharField(max_length=60, default="Asia/Shanghai")
    band_min = models.PositiveIntegerField(default=300)
    band_max = models.PositiveIntegerField(default=500)
    least_rest_minutes = models.PositiveIntegerField(default=60)
    auto_approve_hours = models.BooleanField(default=False)
    office_phone = PhoneNumberField(null=True, blank=True, help_text=_("Printed on posters"))
    ground_version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name_plural = "communities"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(band_min__lte=models.F("band_max")), name="band_in_order"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Border(models.Model):
    """A community's border; apart from `Community`, whose row every page reads."""

    community = models.OneToOneField(Community, on_delete=models.CASCADE, related_name="border")
    geometry = models.BinaryField(help_text="WKB, WGS84")


class GeocodeAnswer(models.Model):
    """What a geocoder said about an address, kept once for all; “nowhere” is one too."""

    query = models.CharField(max_length=200, unique=True)
    lat = models.FloatField(null=True)
    lon = models.FloatField(null=True)
    label = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(db_index=True)


class Building(models.Model):
    """A building footprint; `cell` is the one of the published plan."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="buildings")
    source_id = models.CharField(max_length=80)
    name = models.CharField(max_length=160, blank=True)
    address = models.CharField(max_length=200, blank=True)
    street_name = models.CharField(max_length=120, blank=True)
    dwellings = models.PositiveIntegerField(default=0)
    levels = models.PositiveSmallIntegerField(null=True, blank=True)
    lat = models.FloatField(validators=[MinValueValidator(-90), MaxValueValidator(90)])
    lon = models.FloatField(validators=[MinValueValidator(-180), MaxValueValidator(180)])
    geometry = models.BinaryField(help_text="WKB, WGS84")
    cell = models.ForeignKey(
        "Cell", null=True, blank=True, on_delete=models.PROTECT, related_name="buildings"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "source_id"], name="building_once")
        ]

    def __str__(self) -> str:
        return self.address or self.name or f"#{self.source_id}"


class Street(models.Model):
    """A street's centre line."""

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="streets")
    source_id = models.CharField(max_length=80)
    name = models.CharField(max_length=160, blank=True)
    highway = models.CharField(max_length=40, blank=True)
    length_m = models.FloatField(default=0)
    geometry = models.BinaryField(help_text="WKB, WGS84")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "source_id"], name="street_once")
        ]

    def __str__(self) -> str:
        return self.name or f"#{self.source_id}"


class Cell(models.Model):
    """A grid cell's identity: code, name and history outlive every redrawing of its shape.

    `join_key` is the secret in its invitation link. `group_size` counts the members of a chat
    group, so that the database itself keeps the limit; the other kinds have their residents.
    """

    class Kind(models.TextChoices):
        GEOGRAPHIC = "geographic", _("On the map")
        VIRTUAL = "virtual", _("Chat group")
        ESTATE = "estate", _("Estate of a property firm")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="cells")
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.GEOGRAPHIC)
    retired_at = models.DateTimeField(null=True, blank=True)
    join_key = models.CharField(max_length=22, unique=True, default=new_join_key, editable=False)
    group_size = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "code"], name="cell_code_once"),
            models.CheckConstraint(
                condition=models.Q(group_size__lte=GROUP_MOST), name="group_size_limit"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code


class CellPlan(models.Model):
    """One drawing of a community's cells: a draft, the published one, a past or discarded one.

    `version` counts the changes to a draft, so that who edits an older one is told.
    `publish_at` is when a draft is to be published by itself, in the name of `publish_by`.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        PAST = "past", _("Past")
        DISCARDED = "discarded", _("Discarded")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="plans")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    seed = models.BigIntegerField(default=0)
    measures: Any = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    publish_at = models.DateTimeField(null=True, blank=True, db_index=True)
    publish_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community"],
                condition=models.Q(state="published"),
                name="one_published_plan",
            ),
            models.UniqueConstraint(
                fields=["community"], condition=models.Q(state="draft"), name="one_draft_plan"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.community} #{self.pk}"


class PlanStep(models.Model):
    """What was done with a community's plans: who, when and why. Rows are only added.

    `replaced` is the plan that was published until then.
    """

    class Kind(models.TextChoices):
        DRAWN = "drawn", _("Drawn")
        STARTED = "started", _("Started from the published plan")
        REDRAWN = "redrawn", _("Redrawn with the least change")
        SCHEDULED = "scheduled", _("Date of publishing changed")
        PUBLISHED = "published", _("Published")
        REVERTED = "reverted", _("Publishing undone")
        DISCARDED = "discarded", _("Discarded")
        RESTORED = "restored", _("Restored")

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="plan_steps")
    plan = models.ForeignKey(CellPlan, on_delete=models.PROTECT, related_name="steps")
    replaced = models.ForeignKey(
        CellPlan, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(max_length=12, choices=Kind)
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    why = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.plan_id} {self.kind}"


class PlanEdit(models.Model):
    """One change to a draft: buildings that went from cell to cell, and the borders around it.

    `moves` is [[building, from, to], …] by id; `borders` maps each touched cell to its shape
    before and after (WKB in hex), so that undoing restores it to the last corner.
    """

    class Kind(models.TextChoices):
        MOVED = "moved", _("Buildings moved")
        BORDER = "border", _("Border redrawn")

    class State(models.TextChoices):
        DONE = "done", _("Done")
        UNDONE = "undone", _("Undone")
        DROPPED = "dropped", _("Undone, then something else was done")

    plan = models.ForeignKey(CellPlan, on_delete=models.PROTECT, related_name="edits")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    state = models.CharField(max_length=12, choices=State, default=State.DONE)
    moves: Any = models.JSONField()
    borders: Any = models.JSONField()
    households = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    why = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="edit_once")]

    def __str__(self) -> str:
        return f"{self.plan_id}/{self.number}"


class CellShape(models.Model):
    """A cell's border and households in one plan."""

    plan = models.ForeignKey(CellPlan, on_delete=models.CASCADE, related_name="shapes")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="shapes")
    geometry = models.BinaryField(help_text="WKB, WGS84")
    households = models.PositiveIntegerField()
    measures: Any = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "cell"], name="shape_once")]


class CellBuilding(models.Model):
    """Which cell a building belongs to in one plan."""

    plan = models.ForeignKey(CellPlan, on_delete=models.CASCADE, related_name="memberships")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="+")
    building = models.ForeignKey(Building, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "building"], name="building_in_one_cell")
        ]
