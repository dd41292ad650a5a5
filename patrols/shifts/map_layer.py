"""Paint tonight's coverage on the community's map."""

from collections.abc import Sequence
from datetime import date, datetime

from django.utils.translation import gettext as _

from grids.maps.layers import CellMark, Held
from grids.places.models import Community
from patrols.shifts import queries


def marks_of_tonight(communities: Sequence[Community], now: datetime) -> dict[int, CellMark]:
    """Say for each cell what share of tonight's seats is filled, and who is out."""
    marks = {}
    for cell, counts in queries.coverage_tonight(communities, now).items():
        seats, filled = counts["seats"], counts["seats"] - counts["open"]
        text = _("%(filled)d of %(seats)d seats filled") % {"filled": filled, "seats": seats}
        if counts["out"]:
            text = _("%(text)s, %(out)d out now") % {"text": text, "out": counts["out"]}
        marks[cell] = CellMark(share=filled / seats, text=text)
    return marks


def held_between(communities: Sequence[Community], first: date, last: date) -> dict[int, Held]:
    """Say for each cell how many patrols were planned, took place, and drew how many people."""
    return {
        cell: Held(planned=planned, held=held, people=people)
        for cell, (planned, held, people) in queries.patrols_between(
            communities, first, last
        ).items()
    }
