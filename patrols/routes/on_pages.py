"""What this app puts on the shift's page and on the captain's board."""

from datetime import datetime

from grids.people.models import Member
from grids.places.models import Community
from patrols.routes import queries
from patrols.routes.rules import may_see_route
from patrols.shifts.models import Shift
from patrols.shifts.panels import Panel
from patrols.shifts.queries import night_of

# The board has room for so many streets; the page behind it shows all.
_ON_BOARD = 6


def shift_panel(member: Member, shift: Shift, now: datetime) -> Panel | None:
    """Show a patrol's way to its team and captain."""
    if not queries.has_route(shift) or not may_see_route(member, shift):
        return None
    found = queries.tonight(shift)
    if found is None:
        return None
    return Panel("routes/_shift.html", {"shift": shift, "ways": found.ways})


def board_panel(member: Member, community: Community, now: datetime) -> Panel | None:
    """Show the captain the streets that nobody walked for longer than a week."""
    cells = queries.cells_led(member, community)
    if not cells:
        return None
    today = night_of(community, now)[0].date()
    late = [one for one in queries.streets_walked(cells, today=today) if one.late]
    if not late:
        return None
    data = {"community": community, "streets": late[:_ON_BOARD], "count": len(late)}
    return Panel("routes/_board.html", data)
