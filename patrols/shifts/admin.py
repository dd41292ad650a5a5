"""Activities, shifts and seats in Django's admin, for platform administrators."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from common.admin import ReadOnlyAdmin
from patrols.shifts.models import Activity, Seat, Shift


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin[Activity]):
    """Read here, changed on its page: a change must reach its shifts, which a service sees to."""

    list_display = ("title", "kind", "community", "cell", "rrule", "starts_local", "active")
    list_filter = ("kind", "active", "community")
    list_select_related = ("community", "cell")
    search_fields = ("title",)
    readonly_fields = ("change_it",)

    @admin.display(description=_("Change it"))
    def change_it(self, activity: Activity) -> str:
        """Link to the page on which it is changed."""
        url = reverse("shifts:activity", args=[activity.pk])
        return format_html('<a href="{}">{}</a>', url, _("Open its page"))


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
