"""Who leads, sees and fills shifts."""

from datetime import datetime, timedelta

from grids.people.models import Member, Role
from grids.people.rules import has_role, roles_of
from grids.places.models import Cell, Community
from patrols.shifts.models import Shift

CAPTAINS = frozenset({Role.Kind.CAPTAIN, Role.Kind.ADMINISTRATOR})


def leads(actor: Member, *, community: Community, cell: Cell | None) -> bool:
    """Say whether `actor` is captain (or administrator) of this cell or community."""
    return has_role(actor, CAPTAINS, community=community, cell=cell)


def leads_shift(actor: Member, shift: Shift) -> bool:
    """Say whether `actor` may change this shift and its seats."""
    return leads(actor, community=shift.community, cell=shift.cell)


def keeps_activities(actor: Member, *, community: Community, cell: Cell | None) -> bool:
    """Say whether `actor` sets up what recurs there: its captain, or who runs the whole site."""
    if actor.is_superuser and actor.is_active:
        return True
    return leads(actor, community=community, cell=cell)


def root_of(path: str) -> str:
    """Return the top-level part of a community's path: "/1/4/9/" → "/1/"."""
    return "/".join(path.split("/", 2)[:2]) + "/"


def roots_of(actor: Member) -> set[str]:
    """Return the top-level trees whose shifts `actor` may see: where they live or hold a role."""
    paths = [actor.community.path] if actor.community is not None else []
    for role in roles_of(actor):
        scope = role.scope
        paths.append(scope.path if isinstance(scope, Community) else scope.community.path)
    return {root_of(path) for path in paths}


def sees_community(actor: Member, community: Community) -> bool:
    """Say whether `actor` lives or holds a role anywhere in this community's top-level tree."""
    # One's own community needs no look at the database: this is the path of every claim.
    if actor.community_id == community.pk:
        return True
    if actor.is_superuser:
        return True
    return root_of(community.path) in roots_of(actor)


def claims_close_at(shift: Shift) -> datetime:
    """Return when claiming ends: as long as a check-in still counts as on time."""
    return shift.starts_at + timedelta(minutes=shift.late_minutes)


def may_watch_community(member: Member, community_id: int) -> bool:
    """Say whether a socket of this member may follow `community:<id>`: ids and counts only."""
    community = Community.objects.filter(pk=community_id).first()
    return community is not None and sees_community(member, community)


def may_watch_cell(member: Member, cell_id: int) -> bool:
    """Say whether a socket of this member may follow `cell:<id>`, which carries names."""
    cell = Cell.objects.select_related("community").filter(pk=cell_id).first()
    return cell is not None and leads(member, community=cell.community, cell=cell)
