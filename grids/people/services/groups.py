"""Chat groups (virtual cells): who is in them, and never more than a group holds."""

from datetime import datetime, timedelta
from http import HTTPStatus

from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people import queries, rules
from grids.people.events import GroupChanged, GroupJoined, GroupLeft
from grids.people.models import GroupMember, Member, Role
from grids.people.services.profile import locked_member
from grids.places.models import GROUP_MOST, Cell, Community, new_join_key
from realtime import registry
from realtime.events import record


class GroupFull(DomainError):
    """The group holds as many as it can."""

    code = "group_full"
    status = HTTPStatus.CONFLICT
    detail = _("This group is full: it holds %(most)d members.") % {"most": GROUP_MOST}


class InGroup(DomainError):
    """The member is in this group already."""

    code = "already_in_group"
    status = HTTPStatus.CONFLICT
    detail = _("You are in this group already.")


class NotInGroup(DomainError):
    """The member is not in this group."""

    code = "not_in_group"
    status = HTTPStatus.CONFLICT
    detail = _("This member is not in the group.")


def create_group(*, community: Community, name: str, actor: Member | None, now: datetime) -> Cell:
    """Open a chat group in `community`, by its captain or administrator; it starts empty.

    Raises NotAllowed, BadInput.
    """
    work = current()
    if not rules.leads_groups(actor, community=community):
        raise NotAllowed
    name = clean_cell_name(name)
    cell = new_cell(community=community, kind=Cell.Kind.VIRTUAL, name=name)
    work.audit("group.created", cell, after={"name": name})
    tell_of(cell, "opened")
    return cell


def new_cell(*, community: Community, kind: str, name: str) -> Cell:
    """Create a cell that no plan draws, with the next code of its kind: V001, V002, E001 …"""
    letter = {Cell.Kind.VIRTUAL: "V", Cell.Kind.ESTATE: "E"}[Cell.Kind(kind)]
    # The lock keeps two from taking the same code.
    Community.objects.select_for_update(no_key=True).get(pk=community.pk)
    rows = Cell.objects.filter(community=community, kind=kind, code__regex=rf"^{letter}[0-9]+$")
    codes = [int(code[1:]) for code in rows.values_list("code", flat=True)]
    number = max(codes, default=0) + 1
    while Cell.objects.filter(community=community, code=f"{letter}{number:03d}").exists():
        number += 1
    return Cell.objects.create(
        community=community, kind=kind, name=name, code=f"{letter}{number:03d}"
    )


def rename_group(*, cell: Cell, name: str, actor: Member | None, now: datetime) -> Cell:
    """Give a group another name, by who leads it. Raises NotAllowed, BadInput, NotFound."""
    work = current()
    rules.require_lead(actor, cell)
    name = clean_cell_name(name)
    cell = _locked(cell)
    before, cell.name = cell.name, name
    cell.save(update_fields=["name"])
    work.audit("group.renamed", cell, before={"name": before}, after={"name": name})
    tell_of(cell, "renamed")
    return cell


def renew_link(*, cell: Cell, actor: Member | None, now: datetime) -> Cell:
    """Make a new invitation link; the one before leads nowhere from now on."""
    work = current()
    rules.require_lead(actor, cell)
    cell = _locked(cell)
    cell.join_key = new_join_key()
    cell.save(update_fields=["join_key"])
    work.audit("group.link_renewed", cell)
    return cell


def retire_group(*, cell: Cell, actor: Member | None, now: datetime) -> Cell:
    """Close a group for good: memberships and captains' roles end, its history stays."""
    work = current()
    rules.require_lead(actor, cell)
    cell = _locked(cell)
    left = GroupMember.objects.filter(cell=cell, left_at=None).update(left_at=now)
    end_roles_over(cell)
    cell.retired_at, cell.group_size = now, 0
    cell.save(update_fields=["retired_at", "group_size"])
    work.audit("group.retired", cell, before={"members": left})
    tell_of(cell, "closed")
    return cell


def end_roles_over(cell: Cell) -> None:
    """End every role over a cell that retires; sockets of their holders ask again."""
    yesterday = rules.today() - timedelta(days=1)
    roles = Role.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gt=yesterday), cell=cell
    ).order_by("pk")
    holders = sorted(set(roles.values_list("member_id", flat=True)))
    roles.update(ends_on=yesterday)
    for holder in holders:
        registry.recheck(holder)


def join_group(*, key: str, actor: Member, now: datetime) -> Cell:
    """Enter a group by its invitation link, which holds for people of the same town.

    Raises NotFound, InGroup, GroupFull.
    """
    return _enter(queries.group_of_link(actor, key), actor.pk, now)


def add_to_group(*, cell: Cell, member: Member, actor: Member | None, now: datetime) -> Cell:
    """Let a neighbour into a group, by who leads it.

    Raises NotAllowed, NotFound (not of the group's community), InGroup, GroupFull.
    """
    rules.require_lead(actor, cell)
    if not queries.neighbours_of(cell).filter(pk=member.pk).exists():
        raise NotFound
    return _enter(cell, member.pk, now)


def leave_group(*, cell: Cell, actor: Member, now: datetime) -> None:
    """Leave a group oneself. Raises NotFound, NotInGroup."""
    _go(cell, actor.pk, now)


def remove_from_group(*, cell: Cell, member: Member, actor: Member | None, now: datetime) -> None:
    """Take a member out of a group, by who leads it. Raises NotAllowed, NotInGroup."""
    rules.require_lead(actor, cell)
    _go(cell, member.pk, now)


def leave_all_groups(*, member: Member, now: datetime) -> None:
    """Take a member out of every group: their account is being erased."""
    for row in GroupMember.objects.filter(member=member, left_at=None).order_by("cell"):
        _go(row.cell, member.pk, now)


def _enter(cell: Cell, member_id: int, now: datetime) -> Cell:
    work = current()
    member = locked_member(member_id)
    cell = _locked(cell)
    if GroupMember.objects.filter(cell=cell, member=member, left_at=None).exists():
        raise InGroup
    if cell.group_size >= GROUP_MOST:
        raise GroupFull
    GroupMember.objects.create(cell=cell, member=member, joined_at=now)
    cell.group_size += 1
    cell.save(update_fields=["group_size"])
    work.audit("group.joined", cell, after={"member": member.pk})
    who = {"id": member.pk, "name": member.display_name}
    record(
        GroupJoined(cell=cell.pk, member=who, size=cell.group_size),
        topics=[f"cell:{cell.pk}", f"member:{member.pk}"],
    )
    return cell


def _go(cell: Cell, member_id: int, now: datetime) -> None:
    work = current()
    member = locked_member(member_id)
    cell = _locked(cell)
    row = GroupMember.objects.filter(cell=cell, member=member, left_at=None).first()
    if row is None:
        raise NotInGroup
    row.left_at = now
    row.save(update_fields=["left_at"])
    cell.group_size -= 1
    cell.save(update_fields=["group_size"])
    work.audit("group.left", cell, before={"member": member.pk})
    record(
        GroupLeft(cell=cell.pk, member={"id": member.pk}, size=cell.group_size),
        topics=[f"cell:{cell.pk}", f"member:{member.pk}"],
    )


def _locked(cell: Cell) -> Cell:
    """Lock a group that still stands: members come before it in the written order."""
    standing = Cell.objects.filter(kind=Cell.Kind.VIRTUAL, retired_at=None)
    found = lock(standing.select_related("community"), [cell.pk]).get(cell.pk)
    if found is None:
        raise NotFound
    return found


def clean_cell_name(text: str) -> str:
    """Return a name of 1 to 120 printable characters; raise BadInput otherwise."""
    name = " ".join(text.split())
    if not name or len(name) > 120 or not name.isprintable():
        raise BadInput({"name": [gettext("Write a name of 1 to 120 characters.")]})
    return name


def tell_of(cell: Cell, what: str) -> None:
    """Tell the community that one of its cells was opened, changed or closed."""
    event = GroupChanged(plan=None, cells=[cell.pk], what=what)
    record(event, topics=[f"community:{cell.community_id}"])
