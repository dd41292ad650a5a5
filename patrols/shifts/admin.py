"""Activities, shifts and seats in Django's admin, for platform administrators."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _

from common.admin import LinliAdmin, ReadOnlyAdmin
from patrols.shifts.models import Activity, Seat, Shift
from patrols.shifts.recurrence import BadRule, check_rule


class ActivityForm(forms.ModelForm[Activity]):
    """Refuses a rule that can't be used, and a cell of another community."""

    class Meta:
        model = Activity
        exclude = ("materialised_until",)  # noqa: DJ006

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("rrule") and data.get("starts_on"):
            try:
                check_rule(data["rrule"], starts_on=data["starts_on"])
            except BadRule as error:
                self.add_error("rrule", str(error))
        cell, community = data.get("cell"), data.get("community")
        if cell is not None and community is not None and cell.community_id != community.pk:
            self.add_error("cell", forms.ValidationError(_("This community has no such cell.")))
        return data


@admin.register(Activity)
class ActivityAdmin(LinliAdmin[Activity]):
    """The hourly job makes the shifts; a change reaches those that are not made yet."""

    form = ActivityForm
    list_display = ("title", "kind", "community", "cell", "rrule", "starts_local", "active")
    list_filter = ("kind", "active", "community")
    list_select_related = ("community", "cell")
    search_fields = ("title",)
    raw_id_fields = ("community", "cell")


@admin.register(Shift)
class ShiftAdmin(ReadOnlyAdmin[Shift]):
    """Only services write shifts: their seats and counts must stay right."""

    list_display = ("title", "community", "cell", "starts_at", "state", "seats_total", "open_seats")
    list_filter = ("state", "kind", "community")
    list_select_related = ("community", "cell")
    date_hierarchy = "starts_at"
    search_fields = ("title",)


@admin.register(Seat)
class SeatAdmin(ReadOnlyAdmin[Seat]):
    """Who sat where."""

    list_display = ("shift", "index", "state", "member", "starts_at", "locked")
    list_filter = ("state",)
    list_select_related = ("shift", "member")
    raw_id_fields = ("shift", "member")
    search_fields = ("member__display_name",)
