"""Who may do what: every permission question about roles is answered here."""

from collections.abc import Iterable
from datetime import date

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils import timezone

from common import clock
from common.errors import NotAllowed
from grids.people.models import Member, Organisation, Proxy, Role
from grids.places.models import Building, Cell, Community

Kind = Role.Kind


def today() -> date:
    """The date by which roles and proxies hold, in the site's zone.

    Not in the zone that a page is shown in: a role would hold on pages and not over the API.
    """
    return timezone.localdate(clock.now(), timezone.get_default_timezone())


def holds_on(day: date, prefix: str = "") -> Q:
    """Filter rows whose `starts_on`…`ends_on` (inclusive, open-ended when empty) cover `day`."""
    return Q(**{f"{prefix}starts_on__lte": day}) & (
        Q(**{f"{prefix}ends_on__isnull": True}) | Q(**{f"{prefix}ends_on__gte": day})
    )


def roles_of(member: Member | AnonymousUser) -> list[Role]:
    """Return the roles that `member` holds today, read once per request."""
    if not isinstance(member, Member):
        return []
    kept: list[Role] | None = getattr(member, "_roles_today", None)
    if kept is None:
        kept = list(
            Role.objects.filter(holds_on(today()), member=member).select_related(
                "community", "cell__community", "organisation__community", "building__community"
            )
        )
        member._roles_today = kept  # type: ignore[attr-defined]
    return kept


def forget_roles(member: Member) -> None:
    """Read `member`'s roles anew at the next question: they were just changed."""
    member.__dict__.pop("_roles_today", None)


def holds_anywhere(member: Member | AnonymousUser, kinds: Iterable[str]) -> bool:
    """Say whether `member` holds one of `kinds` over anything at all (for doors and menus)."""
    wanted = set(kinds)
    return any(role.kind in wanted for role in roles_of(member))


def has_role(
    member: Member | AnonymousUser,
    kinds: Iterable[str],
    *,
    community: Community | None = None,
    cell: Cell | None = None,
    organisation: Organisation | None = None,
    building: Building | None = None,
) -> bool:
    """Say whether `member` holds one of `kinds` over what is named.

    A community role covers its whole subtree, with the cells, organisations and buildings in it;
    a cell role covers that cell, an organisation role that organisation, a building role that
    building.
    """
    wanted = set(kinds)
    if cell is not None and community is None:
        community = cell.community
    if organisation is not None and community is None:
        community = organisation.community
    if building is not None and community is None:
        community = building.community
    for role in roles_of(member):
        if role.kind not in wanted:
            continue
        if role.community is not None:
            if community is not None and community.path.startswith(role.community.path):
                return True
        elif role.cell_id is not None:
            if cell is not None and role.cell_id == cell.pk:
                return True
        elif role.building_id is not None:
            if building is not None and role.building_id == building.pk:
                return True
        elif organisation is not None and role.organisation_id == organisation.pk:
            return True
    return False


def require_role(
    member: Member | AnonymousUser,
    kinds: Iterable[str],
    *,
    community: Community | None = None,
    cell: Cell | None = None,
    organisation: Organisation | None = None,
) -> None:
    """Raise NotAllowed unless `has_role`."""
    if not has_role(member, kinds, community=community, cell=cell, organisation=organisation):
        raise NotAllowed


def acts_for(actor: Member, member: Member) -> bool:
    """Say whether `actor` may book and pay for `member`: themselves, or a proxy today."""
    if actor.pk == member.pk:
        return True
    return Proxy.objects.filter(holds_on(today()), member=member, proxy=actor).exists()


def administers(
    actor: Member | None,
    *,
    community: Community | None = None,
    cell: Cell | None = None,
    organisation: Organisation | None = None,
    building: Building | None = None,
) -> bool:
    """Say whether `actor` manages people there: an administrator above it, or the platform's.

    None is the system itself (an import, a command).
    """
    if actor is None or (actor.is_superuser and actor.is_active):
        return True
    if community is None and cell is None and organisation is None and building is None:
        return False
    return has_role(
        actor,
        {Kind.ADMINISTRATOR},
        community=community,
        cell=cell,
        organisation=organisation,
        building=building,
    )


def cells_led(actor: Member, *, community: Community) -> frozenset[int] | None:
    """Return the ids of the cells of `community` that `actor` is captain of, None for all."""
    if has_role(actor, {Kind.CAPTAIN}, community=community):
        return None
    return frozenset(
        role.cell_id
        for role in roles_of(actor)
        if role.kind == Kind.CAPTAIN
        and role.cell is not None
        and role.cell_id is not None
        and role.cell.community_id == community.pk
    )


def leads_groups(actor: Member | None, *, community: Community, cell: Cell | None = None) -> bool:
    """Say whether `actor` opens chat groups in `community`, or leads this one: its captain too."""
    if administers(actor, community=community):
        return True
    return actor is not None and has_role(actor, {Kind.CAPTAIN}, community=community, cell=cell)


def require_lead(actor: Member | None, cell: Cell) -> None:
    """Raise NotAllowed unless `actor` leads this chat group."""
    if not leads_groups(actor, community=cell.community, cell=cell):
        raise NotAllowed
