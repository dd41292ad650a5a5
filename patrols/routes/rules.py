"""Who sees a route, and who sees which streets were walked."""

from common.errors import NotAllowed
from grids.people.models import Member
from grids.places.models import Cell
from patrols.shifts.models import Seat, Shift
from patrols.shifts.rules import leads, leads_shift


def may_see_route(actor: Member, shift: Shift) -> bool:
    """Say whether `actor` walks this shift or leads it.

    Where a patrol will be tonight is nobody else's business.
    """
    if leads_shift(actor, shift):
        return True
    return Seat.objects.filter(shift=shift, member=actor).exists()


def require_route_of(actor: Member, shift: Shift) -> None:
    """Raise NotAllowed unless `may_see_route`."""
    if not may_see_route(actor, shift):
        raise NotAllowed


def require_leads(actor: Member, cell: Cell) -> None:
    """Raise NotAllowed unless `actor` is captain of this cell or above it."""
    if not leads(actor, community=cell.community, cell=cell):
        raise NotAllowed
