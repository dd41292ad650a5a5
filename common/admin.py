"""Django's admin inside the unit of work: changes there are audited like any write."""

from typing import Any, TypeVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from common.models import Audit
from common.unit_of_work import current, unit_of_work

M = TypeVar("M", bound=models.Model)


class LinliAdmin(admin.ModelAdmin[M]):
    """A ModelAdmin whose writes are one unit of work with an audit row; never deletes."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        with unit_of_work(request.user):
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        current().audit(
            "admin.change" if change else "admin.add",
            obj,
            after={name: str(form.cleaned_data.get(name)) for name in form.changed_data},
        )


class ReadOnlyAdmin(LinliAdmin[M]):
    """For what only services may write: the ledger, the event log, the audit trail."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Audit)
class AuditAdmin(ReadOnlyAdmin[Audit]):
    list_display = ("at", "actor", "action", "subject_type", "subject_id")
    list_filter = ("action",)
