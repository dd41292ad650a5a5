"""The map in Django's admin."""

from django.contrib import admin

from common.admin import LinliAdmin, ReadOnlyAdmin
from grids.places.models import Building, Cell, CellPlan, Community


@admin.register(Community)
class CommunityAdmin(LinliAdmin[Community]):
    list_display = ("name", "code", "level", "parent", "zone")
    list_filter = ("level",)
    search_fields = ("name", "code")
    readonly_fields = ("path", "parent")

    def has_add_permission(self, request: object) -> bool:
        """The tree's paths are made by `services.create_community`."""
        return False


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
