"""Hours and earning tables in Django's admin: to look at; services write them."""

from typing import Any

from django.contrib import admin

from common.admin import ReadOnlyAdmin
from timebank.earning.models import HourLog, RuleLine, RuleVersion


class RuleLineInline(admin.TabularInline[RuleLine, RuleVersion]):
    """The lines of a table."""

    model = RuleLine
    extra = 0
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(RuleVersion)
class RuleVersionAdmin(ReadOnlyAdmin[RuleVersion]):
    list_display = ("community", "number", "starts_on", "created_by", "note")
    list_filter = ("community",)
    inlines = [RuleLineInline]


@admin.register(HourLog)
class HourLogAdmin(ReadOnlyAdmin[HourLog]):
    list_display = ("worked_on", "member", "title", "minutes", "state", "credits_earned")
    list_filter = ("state", "category", "automatic")
    list_select_related = ("member",)
    search_fields = ("member__display_name", "title")
    date_hierarchy = "worked_on"
