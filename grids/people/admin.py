"""People in Django's admin, for platform administrators."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common import clock
from common.admin import LinliAdmin, ReadOnlyAdmin
from common.errors import DomainError
from common.unit_of_work import current, unit_of_work
from grids.people import services
from grids.people.backends import member_of
from grids.people.models import (
    ApiToken,
    Consent,
    Household,
    LoginCode,
    Member,
    MemberSkill,
    Organisation,
    Proxy,
    Role,
    Skill,
)
from realtime import registry

admin.site.site_header = _("Linli administration")
admin.site.site_title = _("Linli")
# Roles say who may do what; Django's groups mean nothing here.
admin.site.unregister(Group)


@admin.register(Member)
class MemberAdmin(LinliAdmin[Member]):
    list_display = ("display_name", "phone", "community", "holder_class", "is_active", "is_staff")
    list_filter = ("holder_class", "is_active", "is_staff", "community")
    list_select_related = ("community",)
    search_fields = ("display_name", "phone")
    raw_id_fields = ("home", "household")
    exclude = ("password",)
    readonly_fields = ("joined_at", "erased_at", "last_login")

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        """Note which fields changed, never their text: the audit trail outlives an erasure.

        What a member may watch hangs on their home, household and rights: sockets ask again.
        """
        if not change:
            obj.joined_at = clock.now()
            obj.set_unusable_password()
        obj.save()
        if change:
            registry.recheck(obj.pk)
            if "is_active" in form.changed_data and not obj.is_active:
                services.sign_out_everywhere(member=obj, now=current().now)
        current().audit(
            "admin.change" if change else "admin.add", obj, after={"fields": form.changed_data}
        )


@admin.register(Role)
class RoleAdmin(LinliAdmin[Role]):
    """Grants and ends roles by the services; a role is never edited."""

    list_display = (
        "member", "kind", "community", "cell", "organisation", "building", "starts_on", "ends_on",
    )  # fmt: skip
    list_filter = ("kind",)
    list_select_related = ("member", "community", "cell", "organisation", "building")
    search_fields = ("member__display_name", "member__phone")
    raw_id_fields = ("member", "cell", "organisation", "building")
    actions = ("end_roles",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Role, form: Any, change: bool) -> None:
        granted = services.grant_role(
            member=obj.member,
            kind=obj.kind,
            actor=member_of(request),
            now=current().now,
            community=obj.community,
            cell=obj.cell,
            organisation=obj.organisation,
            building=obj.building,
            starts_on=obj.starts_on,
            ends_on=obj.ends_on,
        )
        obj.pk = granted.pk

    @admin.action(description=_("End the selected roles today"))
    def end_roles(self, request: HttpRequest, queryset: QuerySet[Role]) -> None:
        ended = 0
        for role in queryset.select_related("member"):
            actor = member_of(request)
            try:
                with unit_of_work(actor) as work:
                    services.revoke_role(role=role, actor=actor, now=work.now)
                ended += 1
            except DomainError as error:
                messages.error(request, f"{role}: {error.detail}")
        said = ngettext("%(count)d role ended.", "%(count)d roles ended.", ended)
        messages.success(request, said % {"count": ended})


@admin.register(Proxy)
class ProxyAdmin(LinliAdmin[Proxy]):
    list_display = ("member", "proxy", "starts_on", "ends_on")
    list_select_related = ("member", "proxy")
    raw_id_fields = ("member", "proxy")
    search_fields = ("member__display_name", "proxy__display_name")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Proxy, form: Any, change: bool) -> None:
        added = services.add_proxy(
            member=obj.member,
            proxy=obj.proxy,
            actor=member_of(request),
            now=current().now,
            starts_on=obj.starts_on,
            ends_on=obj.ends_on,
        )
        obj.pk = added.pk


@admin.register(Organisation)
class OrganisationAdmin(LinliAdmin[Organisation]):
    list_display = ("name", "community", "phone", "address")
    list_filter = ("community",)
    list_select_related = ("community",)
    search_fields = ("name",)


@admin.register(Household)
class HouseholdAdmin(LinliAdmin[Household]):
    list_display = ("name", "community")
    list_select_related = ("community",)
    search_fields = ("name",)
    raw_id_fields = ("home",)


@admin.register(Skill)
class SkillAdmin(LinliAdmin[Skill]):
    list_display = ("code", "name")
    search_fields = ("code", "name")


@admin.register(MemberSkill)
class MemberSkillAdmin(LinliAdmin[MemberSkill]):
    list_display = ("member", "skill", "expires_on")
    list_filter = ("skill",)
    list_select_related = ("member", "skill")
    raw_id_fields = ("member",)
    search_fields = ("member__display_name",)


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin[Consent]):
    list_display = ("member", "purpose", "text_version", "given_at", "withdrawn_at")
    list_filter = ("purpose",)
    list_select_related = ("member",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin[ApiToken]):
    list_display = ("member", "label", "created_at", "revoked_at")
    list_select_related = ("member",)
    exclude = ("digest",)


@admin.register(LoginCode)
class LoginCodeAdmin(ReadOnlyAdmin[LoginCode]):
    list_display = ("created_at", "expires_at", "tries_left", "used_at")
    fields = ("created_at", "expires_at", "tries_left", "used_at")
