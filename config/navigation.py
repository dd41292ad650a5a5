"""Which doors each person sees, by role: five in a phone's bar, all of them on a wide screen."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from grids.people.models import Member
from grids.people.rules import Kind, roles_of

_EVERYBODY = frozenset({""})
_CAPTAINS = frozenset({Kind.CAPTAIN, Kind.ADMINISTRATOR})
_ADMINISTRATORS = frozenset({Kind.ADMINISTRATOR})
_REVIEWERS = frozenset({Kind.REVIEWER})
_PARTNERS = frozenset({Kind.PARTNER_STAFF})


@dataclass(frozen=True)
class Door:
    """One page, the roles it is for, and the addresses of pages `also` behind it."""

    url: str
    label: str | Promise
    icon: str
    kinds: frozenset[str] = _EVERYBODY
    also: tuple[str, ...] = ()

    def reach(self, path: str) -> int:
        """Return how many letters of `path` this door stands for, 0 where it leads elsewhere."""
        return max((len(url) for url in (self.url, *self.also) if path.startswith(url)), default=0)


# In order of need: a partner's counter and a captain's board come before what everybody has.
DOORS = (
    Door("/", _("Today"), "sun"),
    Door("/counter/", _("Counter"), "scan-line", _PARTNERS),
    Door("/board/", _("Board"), "layout-grid", _CAPTAINS),
    Door("/hours/review/", _("Review"), "clipboard-check", _REVIEWERS),
    Door("/shifts/", _("Shifts"), "calendar-days"),
    Door("/meals/", _("Meals"), "utensils"),
    Door("/credits/", _("Credits"), "coins", also=("/give/", "/pay/")),
    Door("/hours/", _("My hours"), "clock"),
    Door("/map/", _("Map"), "map"),
    Door("/availability/", _("When I can come"), "calendar-check"),
    Door("/rosters/", _("Rosters"), "calendar-range", _CAPTAINS),
    Door("/activities/", _("Activities"), "calendar-plus", _CAPTAINS),
    Door("/imports/", _("Imports"), "upload", _ADMINISTRATORS),
    Door("/me/", _("About me"), "user-round"),
)
_IN_BAR = 5


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Give every template its doors; `current` marks the longest address that matches."""
    member = getattr(request, "user", None)
    if not isinstance(member, Member):
        return {"nav_items": [], "sign_in_url": "/sign-in/", "live_url": "/ws/"}
    kinds = {""} | {role.kind for role in roles_of(member)}
    doors = [door for door in DOORS if door.kinds & kinds]
    # Today's "/" begins every address, so there always is one.
    here = max(doors, key=lambda door: door.reach(request.path))
    items = [
        {
            "url": door.url,
            "label": door.label,
            "icon": door.icon,
            "current": door is here,
            # No room in a phone's bar: there it is in the menu.
            "wide": place >= _IN_BAR,
        }
        for place, door in enumerate(doors)
    ]
    rest = items[_IN_BAR:]
    if member.is_staff:
        rest.append({"url": "/admin/", "label": _("Administration"), "icon": "settings"})
    return {
        "nav_items": items,
        "account_items": rest,
        "account_name": member.display_name,
        "community_name": member.community.name if member.community else "",
        "home_url": "/",
        "sign_out_url": "/sign-out/",
        "live_url": "/ws/",
    }
