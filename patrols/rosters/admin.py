"""Availability and plans in Django's admin, for platform administrators."""

from django.contrib import admin

from common.admin import LinliAdmin, ReadOnlyAdmin
from patrols.rosters.models import Availability, AvailabilityException, Limits, RosterRun


@admin.register(Limits)
class LimitsAdmin(LinliAdmin[Limits]):
    """How often somebody comes, and whether they count as experienced."""

    list_display = ("member", "most_shifts_a_week", "experienced", "neighbouring_cells")
    list_filter = ("experienced",)
    list_select_related = ("member",)
    raw_id_fields = ("member",)
    search_fields = ("member__display_name",)


@admin.register(Availability)
class AvailabilityAdmin(LinliAdmin[Availability]):
    """Weekly windows."""

    list_display = ("member", "weekday", "from_time", "until_time")
    list_select_related = ("member",)
    raw_id_fields = ("member",)
    search_fields = ("member__display_name",)


@admin.register(AvailabilityException)
class AvailabilityExceptionAdmin(LinliAdmin[AvailabilityException]):
    """Dates that differ from the week."""

    list_display = ("member", "on", "available", "from_time", "until_time")
    list_select_related = ("member",)
    raw_id_fields = ("member",)


@admin.register(RosterRun)
class RosterRunAdmin(ReadOnlyAdmin[RosterRun]):
    """Plans, as services made them."""

    list_display = ("community", "from_on", "days", "state", "seats_filled", "seats_total", "gap")
    list_filter = ("state", "community")
    list_select_related = ("community",)
