"""Coverage over a period: how many patrols each cell had, in steps that grey shows as well."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from grids.maps.folium_map import HEAT
from grids.maps.layers import Held

# A year, so that a slip of the pen does not count a century.
MOST_DAYS = 366
NONE = "x"


@dataclass(frozen=True)
class Scale:
    """The upper end of each step, lowest first; 0 has a pattern of its own."""

    tops: tuple[int, ...]

    def step(self, count: int) -> str:
        """Return the code of the step that a count falls in: "x" for none, else "0" …"""
        if count <= 0:
            return NONE
        at = next(at for at, top in enumerate(self.tops) if count <= top)
        return str(at + len(HEAT) - len(self.tops))

    def legend(self) -> list[tuple[str, str]]:
        """Return (step, words) from none to most."""
        found, low = [(NONE, _("None"))], 1
        for top in self.tops:
            words = str(top) if top == low else f"{low}–{top}"
            found.append((self.step(top), words))
            low = top + 1
        return found


def scale_of(counts: Iterable[int]) -> Scale:
    """Cut 1 … most into even steps, at most as many as there are colours."""
    most = max(counts, default=0)
    steps = min(most, len(HEAT))
    return Scale(tuple(-(-most * (at + 1) // steps) for at in range(steps)) if steps else ())


def period(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """Return the days asked for, by default the last four weeks; in order, at most a year."""
    last = last or today
    first = first or _before(last, 27)
    if first > last:
        first, last = last, first
    return max(first, _before(last, MOST_DAYS - 1)), last


def _before(day: date, days: int) -> date:
    """Return the day so many days earlier, or the first that a calendar has."""
    return date.fromordinal(max(1, day.toordinal() - days))


def style(step: str) -> dict[str, Any]:
    """Return how a cell of this step is drawn."""
    if step == NONE:
        return {"color": "#8a4b00", "weight": 3, "dashArray": "7 4", "fillColor": "url(#p-none)"}
    return {"color": "#12241f", "weight": 1.5, "fillColor": HEAT[int(step)], "fillOpacity": 0.75}


def said(held: Held) -> str:
    """Say how many patrols took place, of those planned, with how many people."""
    people = ngettext("%(count)d person came", "%(count)d people came", held.people)
    return _("%(held)d of %(planned)d patrols took place, %(people)s") % {
        "held": held.held,
        "planned": held.planned,
        "people": people % {"count": held.people},
    }


def street_lines(
    rows: Sequence[tuple[int, str, str]], walked: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Build the map's lines of streets from (id, name, GeoJSON text); more often is thicker."""

    scale = scale_of(walked.values())
    found = []
    for pk, name, text in rows:
        times = walked.get(pk, 0)
        step = scale.step(times)
        words = ngettext("walked %(count)d time", "walked %(count)d times", times)
        look = (
            {"color": "#8a4b00", "weight": 3, "dashArray": "3 6"}
            if step == NONE
            else {"color": HEAT[int(step)], "weight": 3 + int(step)}
        )
        found.append(
            {
                "type": "Feature",
                "geometry": json.loads(text),
                "properties": {
                    "lines": [name or _("Street without a name"), words % {"count": times}],
                    "style": look,
                },
            }
        )
    return found
