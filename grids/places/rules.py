"""Who may change the map. Roles are known above, by `grids.people`, which answers from there."""

from collections.abc import Callable
from typing import Any

from common.errors import NotAllowed
from grids.places.models import Community

MayChange = Callable[[Any, Community], bool]


def _nobody(actor: Any, community: Community) -> bool:
    return False


_may_change: list[MayChange] = [_nobody]


def ask(may_change: MayChange) -> None:
    """Let `may_change(actor, community)` decide about members from now on."""
    _may_change[0] = may_change


def require_may_change(actor: Any, community: Community) -> None:
    """Raise NotAllowed unless `actor` administers the community; None is the system itself."""
    if actor is not None and not _may_change[0](actor, community):
        raise NotAllowed
