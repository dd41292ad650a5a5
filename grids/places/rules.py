"""Who may change the map. Roles are known above, by `grids.people`, which answers from there."""

from collections.abc import Callable
from typing import Any

from common.errors import NotAllowed
from grids.places.models import Community

MayChange = Callable[[Any, Community], bool]
Leads = Callable[[Any, Community], frozenset[int] | None]


def _nobody(actor: Any, community: Community) -> bool:
    return False


def _no_cells(actor: Any, community: Community) -> frozenset[int] | None:
    return frozenset()


_may_change: list[MayChange] = [_nobody]
_leads: list[Leads] = [_no_cells]


def ask(may_change: MayChange, leads: Leads) -> None:
    """Let `may_change(actor, community)` decide about members from now on.

    `leads(actor, community)` names the cells whose captain the actor is, None for all of them.
    """
    _may_change[0], _leads[0] = may_change, leads


def require_may_change(actor: Any, community: Community) -> None:
    """Raise NotAllowed unless `actor` administers the community; None is the system itself."""
    if not may_change(actor, community):
        raise NotAllowed


def may_change(actor: Any, community: Community) -> bool:
    """Say whether `actor` administers the community; None is the system itself."""
    return actor is None or _may_change[0](actor, community)


def cells_led(actor: Any, community: Community) -> frozenset[int] | None:
    """Return the ids of the cells whose borders `actor` may edit in a draft, None for all."""
    return None if may_change(actor, community) else _leads[0](actor, community)


def may_edit(actor: Any, community: Community) -> bool:
    """Say whether `actor` administers the community or is a captain in it."""
    led = cells_led(actor, community)
    return led is None or bool(led)


def require_may_edit(actor: Any, community: Community) -> None:
    """Raise NotAllowed unless `may_edit`."""
    if not may_edit(actor, community):
        raise NotAllowed
