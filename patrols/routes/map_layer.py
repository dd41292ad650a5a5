"""Tonight's routes and the streets not walked, on the captain's map."""

from collections.abc import Sequence
from datetime import date, datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from grids.maps.layers import Layer, Mark, Style
from grids.people.models import Member
from grids.places.models import Community, Street
from grids.places.queries import tree_of
from patrols.routes import queries
from patrols.routes.models import Walk
from patrols.shifts.models import Kind, Shift
from patrols.shifts.queries import night_of
from patrols.shifts.rules import leads_shift


def routes_of_tonight(
    member: Member, communities: Sequence[Community], now: datetime
) -> list[Mark]:
    """Return the ways of tonight's patrols that this member leads."""
    if not communities:
        return []
    spans = [night_of(community, now) for community in communities]
    shifts = (
        Shift.objects.filter(
            community__in=communities,
            kind=Kind.PATROL,
            state=Shift.State.SCHEDULED,
            cell__isnull=False,
            starts_at__gte=min(start for start, _ in spans),
            starts_at__lt=max(end for _, end in spans),
        )
        .select_related("community", "cell")
        .order_by("starts_at", "pk")
    )
    wanted = [shift for shift in shifts if leads_shift(member, shift)]
    found = []
    for shift, tonight in queries.tonight_of_many(wanted):
        for way in tonight.ways:
            words = _("%(cell)s: tour %(number)d, %(metres)d m") % {
                "cell": shift.cell,
                "number": way.shown,
                "metres": way.metres,
            }
            found.append(
                Mark(
                    geometry={"type": "LineString", "coordinates": way.line},
                    text=words,
                    style="route",
                    cell=shift.cell_id,
                    url=reverse("routes:shift", args=[shift.pk]),
                )
            )
    return found


def late_streets(member: Member, communities: Sequence[Community], now: datetime) -> list[Mark]:
    """Return the streets not walked for over a week, in the cells that this member leads."""
    cells = [cell for one in communities for cell in queries.cells_of(member, one)]
    if not cells:
        return []
    today = night_of(communities[0], now)[0].date()
    late = [one for one in queries.streets_walked(cells, today=today) if one.late]
    lines = queries.lines_of({one.cell.pk for one in late})
    found = []
    for one in late:
        words = _("%(street)s: not walked for %(days)d days") % {
            "street": one.name or _("Unnamed way"),
            "days": one.days,
        }
        pieces = [lines[key] for key in sorted(one.keys) if key in lines]
        found.append(
            Mark(
                geometry={"type": "MultiLineString", "coordinates": pieces},
                text=words,
                style="late",
                cell=one.cell.pk,
                url=reverse("routes:streets", args=[one.cell.community_id]),
            )
        )
    return found


def times_walked(
    member: Member, communities: Sequence[Community], first: date, last: date
) -> dict[int, int]:
    """Map street ids to the patrols that walked a part of each, by plan or by track.

    Of the streets in the cells that this member leads, and of no others.
    """
    cells = [cell for one in communities for cell in queries.cells_of(member, one)]
    if not cells:
        return {}
    ids = {
        f"{community}:{source}": pk
        for pk, community, source in Street.objects.filter(
            community__in=tree_of(cells[0].community)
        ).values_list("pk", "community_id", "source_id")
    }
    rows = queries.streets_of_keys(cells)
    streets = {mark: ids[street] for mark, (street, _now) in rows.items() if street in ids}
    counts = {streets[mark]: 0 for mark, (_street, now) in rows.items() if now and mark in streets}
    by_shift: dict[int, set[int]] = {}
    walks = Walk.objects.filter(cell__in=cells, walked_on__gte=first, walked_on__lte=last)
    for shift, cell, keys in walks.values_list("shift_id", "cell_id", "keys"):
        found = (streets.get((cell, key)) for key in keys)
        by_shift.setdefault(shift, set()).update(pk for pk in found if pk is not None)
    for walked in by_shift.values():
        for pk in walked:
            counts[pk] = counts.get(pk, 0) + 1
    return counts


LAYERS = (
    Layer(
        code="routes",
        name=gettext_lazy("Routes tonight"),
        marks=routes_of_tonight,
        styles={"route": Style(gettext_lazy("The way of a patrol"), "#7a2e8c", width=4)},
    ),
    Layer(
        code="late-streets",
        name=gettext_lazy("Streets not walked"),
        marks=late_streets,
        styles={
            "late": Style(
                gettext_lazy("Not walked for over a week"), "#b3261e", dash="8 5", width=5
            )
        },
        shown=False,
    ),
)
