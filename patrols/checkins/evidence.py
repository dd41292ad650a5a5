"""Say in words what a pair of check-ins proves, for whoever reviews the hours."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from timebank.earning.wording import EvidenceLine

REASONS: dict[str, str | Promise] = {
    "late_arrival": gettext_lazy("came late"),
    "out_before_in": gettext_lazy("there is no check-in before the check-out"),
    "late_checkout": gettext_lazy("checked out long after the end"),
    "clock_skew": gettext_lazy("the phone's clock was ahead"),
    "late_upload": gettext_lazy("reached us days later"),
    "wrong_code": gettext_lazy("the code was wrong"),
    "no_evidence": gettext_lazy("neither position nor code"),
    "no_place": gettext_lazy("there is no place to compare the position with"),
    "weak_position": gettext_lazy("the position was not exact enough"),
    "outside_cell": gettext_lazy("the position was outside the cell"),
}


def read(evidence: dict[str, Any]) -> list[EvidenceLine]:
    """Return one line per check-in, one per reason to look twice."""
    lines = []
    if "in" in evidence:
        lines += _lines("in", evidence["in"])
    else:
        lines.append(EvidenceLine(_("No check-in: counted from the start."), good=False))
    if "out" in evidence:
        out = _lines("out", evidence["out"])
        said = "in" not in evidence
        lines += [line for line in out if not (said and line.text == REASONS["out_before_in"])]
    else:
        lines.append(EvidenceLine(_("No check-out: counted up to the end."), good=False))
    return lines


def _lines(kind: str, row: dict[str, Any]) -> list[EvidenceLine]:
    at = date_format(timezone.localtime(datetime.fromisoformat(row["at"])), "H:i")
    how = {
        "position": _("by position"),
        "code": _("by the code at the meeting point"),
        "none": _("without proof"),
    }[row["method"]]
    first = _("In at %(time)s, %(how)s") if kind == "in" else _("Out at %(time)s, %(how)s")
    lines = [EvidenceLine(first % {"time": at, "how": how})]
    for reason in row["reasons"]:
        text = str(REASONS.get(reason, reason))
        if reason == "outside_cell" and row.get("distance_m"):
            text = _("the position was %(metres)d m outside the cell") % {
                "metres": row["distance_m"]
            }
        lines.append(EvidenceLine(text, good=False))
    return lines
