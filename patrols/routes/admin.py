"""Routes and walks in Django's admin: to look at; tracks are not shown to anybody."""

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from patrols.routes.models import CellRoute, Walk


@admin.register(CellRoute)
class CellRouteAdmin(ReadOnlyAdmin[CellRoute]):
    list_display = ("cell", "plan", "streets_m", "single_m", "tours_m", "limit_m", "computed_at")
    list_select_related = ("cell", "plan")
    exclude = ("stretches", "tours")


@admin.register(Walk)
class WalkAdmin(ReadOnlyAdmin[Walk]):
    list_display = ("walked_on", "cell", "shift", "source")
    list_filter = ("source",)
    list_select_related = ("cell", "shift")
    date_hierarchy = "walked_on"
