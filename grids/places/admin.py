"""The map in Django's admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.admin import LinliAdmin, ReadOnlyAdmin
from grids.places.models import Building, Cell, CellPlan, Community
from grids.places.services import place_in_tree


@admin.register(Community)
class CommunityAdmin(LinliAdmin[Community]):
    list_display = ("name", "code", "level", "parent", "zone")
    list_filter = ("level",)
    search_fields = ("name", "code")
    readonly_fields = ("path",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A community's place in the tree stays: paths below it hang on it."""
        return ("path", "parent", "code") if obj else ("path",)

    def save_model(self, request: HttpRequest, obj: Community, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            place_in_tree(obj)


@admin.register(Cell)
class CellAdmin(LinliAdmin[Cell]):
    list_display = ("code", "name", "community", "kind", "retired_at")
    list_filter = ("kind",)
    search_fields = ("code", "name")
    readonly_fields = ("community", "retired_at")


@admin.register(Building)
class BuildingAdmin(LinliAdmin[Building]):
    list_display = ("__str__", "community", "dwellings", "cell")
    search_fields = ("address", "name", "source_id")
    fields = ("community", "source_id", "name", "address", "dwellings", "levels")
    readonly_fields = ("community", "source_id")


@admin.register(CellPlan)
class CellPlanAdmin(ReadOnlyAdmin[CellPlan]):
    list_display = ("community", "state", "created_at", "published_at")
