"""Check-ins in Django's admin: to look at, without positions."""

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from patrols.checkins.models import CheckIn


@admin.register(CheckIn)
class CheckInAdmin(ReadOnlyAdmin[CheckIn]):
    list_display = ("occurred_at", "member", "seat", "kind", "method", "verdict", "reasons")
    list_filter = ("verdict", "kind", "method")
    list_select_related = ("member", "seat__shift")
    exclude = ("lat", "lon", "accuracy_m")
    date_hierarchy = "occurred_at"
