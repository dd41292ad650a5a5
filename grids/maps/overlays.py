"""The map's own layers: building captains, and the estates that property firms look after."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shapely import from_wkb, set_precision, unary_union
from shapely.geometry import mapping

from grids.maps.layers import Layer, Mark, Style, register_layer
from grids.people.models import Estate, Member, Role
from grids.people.rules import holds_on, today
from grids.places.models import Community

# About 15 m: the gaps between an estate's buildings close.
_NEAR = 0.00015
_MICRODEGREE = 1e-6


def building_captains(actor: Member, communities: Sequence[Community], now: datetime) -> list[Mark]:
    """Mark each building that has a captain, with the name, which neighbours may know."""
    roles = Role.objects.filter(
        holds_on(today()),
        kind=Role.Kind.BUILDING_CAPTAIN,
        building__community__in=communities,
        member__is_active=True,
    ).select_related("member", "building")
    return [
        Mark(
            geometry={"type": "Point", "coordinates": [role.building.lon, role.building.lat]},
            text=_("%(building)s: %(name)s")
            % {"building": role.building, "name": role.member.display_name},
            style="captain",
            cell=role.building.cell_id,
        )
        for role in roles.order_by("pk")
        if role.building is not None
    ]


def estates(actor: Member, communities: Sequence[Community], now: datetime) -> list[Mark]:
    """Draw each estate around its buildings, with the firm that looks after it."""
    rows = (
        Estate.objects.filter(cell__community__in=communities, cell__retired_at=None)
        .select_related("cell", "firm")
        .prefetch_related("buildings__building")
        .order_by("pk")
    )
    found = []
    for estate in rows:
        outlines = [from_wkb(bytes(each.building.geometry)) for each in estate.buildings.all()]
        if not outlines:
            continue
        around = unary_union([each.buffer(_NEAR) for each in outlines]).simplify(_NEAR / 10)
        found.append(
            Mark(
                geometry=mapping(set_precision(around, _MICRODEGREE)),
                text=_("%(estate)s, looked after by %(firm)s")
                % {"estate": estate, "firm": estate.firm},
                style="estate",
            )
        )
    return found


def register() -> None:
    """Put both on every map."""
    captain = Style(words=gettext_lazy("Building captain"), colour="#214f8c", letter="楼")
    estate = Style(
        words=gettext_lazy("Estate of a property firm"),
        colour="#5b2a86",
        dash="10 5",
        width=4,
        fill=True,
    )
    register_layer(
        Layer(
            code="building_captains",
            name=gettext_lazy("Building captains"),
            marks=building_captains,
            styles={"captain": captain},
        )
    )
    register_layer(
        Layer(
            code="estates",
            name=gettext_lazy("Estates"),
            marks=estates,
            styles={"estate": estate},
            shown=False,
        )
    )
