"""Shifts and seats as each person may see them."""

from common.errors import NotFound
from grids.people.models import Member
from grids.places.models import Community
from patrols.shifts.models import Shift
from patrols.shifts.rules import sees_community


def shift_visible_to(actor: Member, shift_id: int) -> Shift:
    """Return the shift with its community and cell, or raise NotFound."""
    shift = Shift.objects.select_related("community", "cell").filter(pk=shift_id).first()
    if shift is None or not sees_community(actor, shift.community):
        raise NotFound
    return shift


def member_assignable(member_id: int, *, community: Community) -> Member:
    """Return an active member of this community's subtree, or raise NotFound.

    A captain sees the members of their own community and no others.
    """
    member = Member.objects.filter(
        pk=member_id,
        is_active=True,
        erased_at=None,
        community__path__startswith=community.path,
    ).first()
    if member is None:
        raise NotFound
    return member
