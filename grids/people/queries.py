"""What an actor may see of people; and who stands where."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from common import clock
from common.errors import NotFound
from grids.people import registries
from grids.people.models import Consent, GroupMember, Member, Organisation, Proxy, Role, Upload
from grids.people.rules import Kind, holds_on, roles_of, today
from grids.places.models import Cell, Community

# Those whose duty needs the names and phones of the people they look after.
SEES_MEMBERS = {
    Kind.CAPTAIN,
    Kind.BUILDING_CAPTAIN,
    Kind.DISPATCHER,
    Kind.REVIEWER,
    Kind.BOOKKEEPER,
    Kind.AUDITOR,
    Kind.ADMINISTRATOR,
}


def members_visible_to(actor: Member | AnonymousUser) -> QuerySet[Member]:
    """Return the actor, those they act for, and those who live where they hold a duty."""
    if not isinstance(actor, Member):
        return Member.objects.none()
    if actor.is_superuser:
        return Member.objects.all()
    seen = Q(pk=actor.pk) | Q(
        pk__in=Proxy.objects.filter(holds_on(today()), proxy=actor).values("member")
    )
    for role in roles_of(actor):
        if role.kind not in SEES_MEMBERS:
            continue
        if role.community is not None:
            path = role.community.path
            seen |= Q(community__path__startswith=path) | Q(home__community__path__startswith=path)
        elif role.cell_id is not None:
            in_group = GroupMember.objects.filter(cell=role.cell_id, left_at=None).values("member")
            seen |= Q(home__cell=role.cell_id) | Q(pk__in=in_group)
        elif role.building_id is not None:
            seen |= Q(home=role.building_id)
    return Member.objects.filter(seen)


def organisations_visible_to(actor: Member | AnonymousUser) -> QuerySet[Organisation]:
    """Return the organisations of every town the actor belongs to: kitchens and shops are public.

    An organisation that the actor has a role in is seen wherever it is.
    """
    if not isinstance(actor, Member):
        return Organisation.objects.none()
    if actor.is_superuser:
        return Organisation.objects.all()
    seen = Q(pk__in=[role.organisation_id for role in roles_of(actor) if role.organisation_id])
    for root in {path.split("/")[1] for path in _paths_of(actor)}:
        seen |= Q(community__path__startswith=f"/{root}/")
    return Organisation.objects.filter(seen)


def communities_of(actor: Member | AnonymousUser) -> QuerySet[Community]:
    """Return the communities the actor lives or holds a role in, with all that lies below them."""
    if not isinstance(actor, Member):
        return Community.objects.none()
    if actor.is_superuser:
        return Community.objects.all()
    paths = _paths_of(actor)
    if not paths:
        return Community.objects.none()
    wanted = Q()
    for path in paths:
        wanted |= Q(path__startswith=path)
    return Community.objects.filter(wanted)


def towns_of(actor: Member | AnonymousUser) -> QuerySet[Community]:
    """Return the whole towns (trees) that the actor lives or holds a role in."""
    if not isinstance(actor, Member):
        return Community.objects.none()
    if actor.is_superuser:
        return Community.objects.all()
    condition = Q(pk__in=[])
    for root in {path.split("/")[1] for path in _paths_of(actor)}:
        condition |= Q(path__startswith=f"/{root}/")
    return Community.objects.filter(condition)


def cell_visible_to(actor: Member, cell_id: int) -> Cell:
    """Return a cell of the actor's towns that still stands, or raise NotFound."""
    cells = Cell.objects.filter(pk=cell_id, retired_at=None, community__in=towns_of(actor))
    found = cells.select_related("community").first()
    if found is None:
        raise NotFound
    return found


def group_of_link(actor: Member, key: str) -> Cell:
    """Return the group that an invitation link is for, in the actor's towns, or raise NotFound."""
    found = cell_of_link(key)
    if found is None or found.kind != Cell.Kind.VIRTUAL:
        raise NotFound
    return cell_visible_to(actor, found.pk)


def cell_of_link(key: str) -> Cell | None:
    """Return the cell that an invitation link or a poster is for; whoever has it may know."""
    # PostgreSQL refuses to look for a NUL byte.
    if "\x00" in key:
        return None
    cells = Cell.objects.filter(join_key=key, retired_at=None)
    return cells.select_related("community").first()


def neighbours_of(cell: Cell) -> QuerySet[Member]:
    """Return the members of the cell's community: its captain may let them into a group."""
    path = cell.community.path
    near = Q(community__path__startswith=path) | Q(home__community__path__startswith=path)
    return Member.objects.filter(near, is_active=True, erased_at=None)


def group_members(cell: Cell) -> QuerySet[GroupMember]:
    """Return who is in a group now, with their names; for those who lead it."""
    rows = GroupMember.objects.filter(cell=cell, left_at=None).select_related("member")
    return rows.order_by("member__display_name", "pk")


def groups_of(member: Member) -> list[Cell]:
    """Return the chat groups that the member is in."""
    inside = member.groups.filter(left_at=None).values("cell")
    return list(Cell.objects.filter(pk__in=inside).select_related("community").order_by("pk"))


def groups_led_by(actor: Member) -> list[Cell]:
    """Return the chat groups whose captain or administrator the actor is."""
    wanted = Q(pk__in=[])
    for role in roles_of(actor):
        if role.kind not in {Kind.CAPTAIN, Kind.ADMINISTRATOR}:
            continue
        if role.community is not None:
            wanted |= Q(community__path__startswith=role.community.path)
        elif role.cell_id is not None:
            wanted |= Q(pk=role.cell_id)
    groups = Cell.objects.filter(wanted, kind=Cell.Kind.VIRTUAL, retired_at=None)
    return list(groups.select_related("community").order_by("community__path", "code"))


def cells_of(member: Member) -> list[Cell]:
    """Return the cell that the member lives in, if it is drawn, then their chat groups."""
    home = member.home.cell if member.home is not None else None
    return ([home] if home is not None else []) + groups_of(member)


def cells_data(member: Member) -> list[dict[str, Any]]:
    """Return the member's cells as `GET /api/v1/me` shows them."""
    cells = cells_of(member)
    captains = captains_of(cells)
    return [
        {
            "id": cell.pk,
            "code": cell.code,
            "name": str(cell),
            "kind": str(cell.kind),
            "captain": captain_data(captains.get(cell.pk)),
        }
        for cell in cells
    ]


def captain_data(captain: Member | None) -> dict[str, Any] | None:
    """Return {id, name} of a captain: their neighbours may know who it is, not the phone."""
    return {"id": captain.pk, "name": captain.display_name} if captain else None


def _paths_of(actor: Member) -> set[str]:
    """Return the tree paths of the actor's home community and of each role's scope."""
    paths = {actor.community.path} if actor.community else set()
    for role in roles_of(actor):
        scope = role.scope
        paths.add(scope.path if isinstance(scope, Community) else scope.community.path)
    return paths


def captains_of(cells: Iterable[Cell]) -> dict[int, Member]:
    """Return each cell's captain by cell id, in two queries; a cell without one is left out.

    The cell's own captain comes first, then the one of the nearest community above; of several
    the one longest in office.
    """
    community_of = {cell.pk: cell.community_id for cell in cells}
    path_of = dict(
        Community.objects.filter(pk__in=set(community_of.values())).values_list("pk", "path")
    )
    above = {pk: [int(part) for part in path.split("/") if part] for pk, path in path_of.items()}
    roles = (
        Role.objects.filter(holds_on(today()), kind=Kind.CAPTAIN, member__is_active=True)
        .filter(
            Q(cell__in=list(community_of))
            | Q(community__in={pk for line in above.values() for pk in line})
        )
        .select_related("member")
        .order_by("starts_on", "pk")
    )
    of_cell: dict[int, Member] = {}
    of_community: dict[int, Member] = {}
    for role in roles:
        if role.cell_id is not None:
            of_cell.setdefault(role.cell_id, role.member)
        elif role.community_id is not None:
            of_community.setdefault(role.community_id, role.member)
    found: dict[int, Member] = {}
    for cell_id, community_id in community_of.items():
        nearest = (of_community[pk] for pk in reversed(above[community_id]) if pk in of_community)
        captain = of_cell.get(cell_id) or next(nearest, None)
        if captain is not None:
            found[cell_id] = captain
    return found


def has_consent(member: Member, purpose: str) -> bool:
    """Say whether `member` agrees to `purpose` now."""
    return Consent.objects.filter(member=member, purpose=purpose, withdrawn_at=None).exists()


def open_consents(member: Member) -> dict[tuple[str, str], datetime]:
    """Return when each (purpose, text version) was agreed to, of those not withdrawn."""
    rows = Consent.objects.filter(member=member, withdrawn_at=None)
    return {(row.purpose, row.text_version): row.given_at for row in rows}


def proxies_of(member: Member) -> dict[str, list[Proxy]]:
    """Return who acts for `member` and for whom `member` acts, today or later."""
    still = Q(ends_on__isnull=True) | Q(ends_on__gte=today())
    return {
        "proxies": list(member.proxies.filter(still).select_related("proxy").order_by("pk")),
        "acts_for": list(member.acts_for.filter(still).select_related("member").order_by("pk")),
    }


def proxy_visible_to(actor: Member, proxy_id: int) -> Proxy:
    """Return a proxy that `actor` is one side of; raise NotFound otherwise."""
    held = (
        Proxy.objects.select_related("member__community")
        .filter(Q(member=actor) | Q(proxy=actor), pk=proxy_id)
        .first()
    )
    if held is None:
        raise NotFound
    return held


def whole_me(member: Member) -> dict[str, Any]:
    """Return `GET /api/v1/me`: the own record and what the apps above add."""
    return {**me(member), **{name: part(member) for name, part in registries.me_parts.items()}}


def export_of(member: Member) -> dict[str, Any]:
    """Return all personal data of `member`, this app's and that of the apps above."""
    parts = {name: part(member) for name, part in registries.export_parts.items()}
    return {"made_at": clock.now(), "people": personal_data(member), **parts}


def me(member: Member) -> dict[str, Any]:
    """Return what `GET /api/v1/me` shows of the member's own record."""
    community = member.community
    return {
        "id": member.pk,
        "name": member.display_name,
        "phone": str(member.phone) if member.phone else None,
        "language": member.language,
        "large_text": member.large_text,
        "community": {"id": community.pk, "name": community.name} if community else None,
        "roles": [role_data(role) for role in roles_of(member)],
        "cells": cells_data(member),
    }


def role_data(role: Role) -> dict[str, Any]:
    """Return one role as JSON: its kind, the one scope that is set, its days."""
    return {
        "id": role.pk,
        "kind": role.kind,
        "community": role.community_id,
        "cell": role.cell_id,
        "organisation": role.organisation_id,
        "building": role.building_id,
        "scope": str(role.scope),
        "starts_on": role.starts_on.isoformat(),
        "ends_on": role.ends_on.isoformat() if role.ends_on else None,
    }


def personal_data(member: Member) -> dict[str, Any]:
    """Return this app's part of the export: the member's own data, nobody else's name."""
    skills = member.skills.select_related("skill").order_by("pk")
    stamps = ("created_at", "revoked_at")
    return {
        "member": {
            **me(member),
            "home": str(member.home) if member.home else None,
            "household": member.household.name if member.household else None,
            "holder_class": member.holder_class,
            "born_on": member.born_on,
            "joined_at": member.joined_at,
            "last_sign_in_at": member.last_login,
            "roles": [
                role_data(role)
                for role in member.roles.select_related(
                    "community", "cell", "organisation", "building"
                ).order_by("pk")
            ],
        },
        "skills": [
            {"code": held.skill.code, "name": held.skill.name, "expires_on": held.expires_on}
            for held in skills
        ],
        "consents": list(
            member.consents.order_by("pk").values(
                "purpose", "text_version", "given_at", "withdrawn_at"
            )
        ),
        "proxies": list(member.proxies.order_by("pk").values("proxy", "starts_on", "ends_on")),
        "acts_for": list(member.acts_for.order_by("pk").values("member", "starts_on", "ends_on")),
        "groups": list(
            member.groups.order_by("pk").values("cell", "cell__name", "joined_at", "left_at")
        ),
        "tokens": list(member.tokens.order_by("pk").values("label", *stamps)),
    }


def administered_communities(actor: Member | AnonymousUser) -> QuerySet[Community]:
    """Return the communities that `actor` administers, with all below them."""
    if not isinstance(actor, Member):
        return Community.objects.none()
    if actor.is_superuser:
        return Community.objects.order_by("path")
    wanted = Q(pk__in=[])
    for role in roles_of(actor):
        if role.kind == Kind.ADMINISTRATOR and role.community is not None:
            wanted |= Q(path__startswith=role.community.path)
    return Community.objects.filter(wanted).order_by("path")


def uploads_visible_to(actor: Member) -> QuerySet[Upload]:
    """Return the files that `actor` sent: they hold people's names and phones."""
    return Upload.objects.filter(actor=actor)
