"""Granting and ending roles: administrators only, and only below where they stand."""

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.unit_of_work import current
from grids.people import rules
from grids.people.models import Member, Organisation, Role
from grids.people.services.profile import locked_member
from grids.places.models import Building, Cell, Community
from realtime import registry

# What each kind can be over. An auditor of one cell or a captain of a shop would mean nothing.
SCOPES: dict[str, set[str]] = {
    Role.Kind.CAPTAIN: {"community", "cell"},
    Role.Kind.BUILDING_CAPTAIN: {"building"},
    Role.Kind.DISPATCHER: {"community", "cell", "organisation"},
    Role.Kind.REVIEWER: {"community", "cell"},
    Role.Kind.BOOKKEEPER: {"community", "organisation"},
    Role.Kind.STOREKEEPER: {"community", "organisation"},
    Role.Kind.PARTNER_STAFF: {"organisation"},
    Role.Kind.COUNCIL: {"community"},
    Role.Kind.AUDITOR: {"community"},
    Role.Kind.ADMINISTRATOR: {"community", "organisation"},
}


class RoleHeld(DomainError):
    """The member holds this very role in these days already."""

    code = "role_already_held"
    status = HTTPStatus.CONFLICT
    detail = _("This member holds this role already.")


def grant_role(
    *,
    member: Member,
    kind: str,
    actor: Member | None,
    now: datetime,
    community: Community | None = None,
    cell: Cell | None = None,
    organisation: Organisation | None = None,
    building: Building | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Role:
    """Give `member` a role over exactly one scope, from `starts_on` (today) to `ends_on`.

    `actor` administers that scope or something above it; None is the system itself.
    Raises NotAllowed, BadInput, RoleHeld.
    """
    work = current()
    scope: dict[str, Any] = {
        "community": community,
        "cell": cell,
        "organisation": organisation,
        "building": building,
    }
    named = [name for name, thing in scope.items() if thing is not None]
    if kind not in SCOPES:
        raise BadInput({"kind": [gettext("There is no such role.")]})
    if len(named) != 1 or named[0] not in SCOPES[kind]:
        raise BadInput({"scope": [gettext("This role needs one other scope.")]})
    starts_on = starts_on or rules.today()
    if ends_on is not None and ends_on < starts_on:
        raise BadInput({"ends_on": [gettext("The last day is before the first.")]})
    if not rules.administers(actor, **scope):
        raise NotAllowed
    member = locked_member(member.pk)
    overlapping = Role.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on), member=member, kind=kind, **scope
    )
    if ends_on is not None:
        overlapping = overlapping.filter(starts_on__lte=ends_on)
    if overlapping.exists():
        raise RoleHeld
    role = Role.objects.create(
        member=member, kind=kind, starts_on=starts_on, ends_on=ends_on, **scope
    )
    rules.forget_roles(member)
    registry.recheck(member.pk)
    work.audit("role.granted", role, after=_plain(role))
    return role


def revoke_role(*, role: Role, actor: Member | None, now: datetime) -> None:
    """End a role at once: yesterday was its last day. Holders may lay down their own.

    Raises NotAllowed, or NotFound when it has ended already.
    """
    work = current()
    may = rules.administers(
        actor,
        community=role.community,
        cell=role.cell,
        organisation=role.organisation,
        building=role.building,
    )
    if not may and (actor is None or role.member_id != actor.pk):
        raise NotAllowed
    locked_member(role.member_id)
    yesterday = rules.today() - timedelta(days=1)
    role.refresh_from_db(fields=["ends_on"])
    if role.ends_on is not None and role.ends_on <= yesterday:
        raise NotFound
    before = _plain(role)
    role.ends_on = yesterday
    role.save(update_fields=["ends_on"])
    rules.forget_roles(role.member)
    registry.recheck(role.member_id)
    work.audit("role.revoked", role, before=before, after=_plain(role))


def _plain(role: Role) -> dict[str, Any]:
    return {
        "member": role.member_id,
        "kind": role.kind,
        "community": role.community_id,
        "cell": role.cell_id,
        "organisation": role.organisation_id,
        "building": role.building_id,
        "starts_on": role.starts_on.isoformat(),
        "ends_on": role.ends_on.isoformat() if role.ends_on else None,
    }
