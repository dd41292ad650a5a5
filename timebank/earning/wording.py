"""Sentences for people: why hours earned what they earned, and what the evidence says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.money import credits_text
from timebank.earning.rates import Step


@dataclass(frozen=True)
class EvidenceLine:
    """One fact about a log; `good` is False where a reviewer should look twice."""

    text: str
    good: bool = True


EvidenceReader = Callable[[dict[str, Any]], list[EvidenceLine]]
_readers: dict[str, EvidenceReader] = {}


def add_evidence_reader(source_type: str, reader: EvidenceReader) -> None:
    """Let the app that logs hours say its evidence in words; filled at start."""
    _readers[source_type] = reader


def evidence_lines(source_type: str, evidence: dict[str, Any]) -> list[EvidenceLine]:
    """Return the evidence in sentences, or nothing where no app speaks for this source."""
    reader = _readers.get(source_type)
    return reader(evidence) if reader else []


def duration(minutes: int) -> str:
    """Write 90 as "1 h 30 min"."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)d min") % {"minutes": rest}
    if not rest:
        return _("%(hours)d h") % {"hours": hours}
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest}


def sentences(steps: Iterable[Step]) -> list[str]:
    """Write an explanation as sentences in the reader's language."""
    return [_sentence(step) for step in steps]


def _sentence(step: Step) -> str:
    v = step.values
    match step.code:
        case "worked":
            return _("Worked: %(time)s.") % {"time": duration(v["minutes"])}
        case "no_rule":
            return _("No earning rule held on that day: no credits, but the hours are kept.")
        case "day_cap":
            return ngettext(
                "At most %(most)d minute a day counts here: %(counted)d were left.",
                "At most %(most)d minutes a day count here: %(counted)d were left.",
                v["most"],
            ) % {"most": v["most"], "counted": v["counted"]}
        case "by_time":
            return _("%(minutes)d min × %(rate)s per hour = %(sum)s") % {
                "minutes": v["minutes"],
                "rate": credits_text(v["per_hour"]),
                "sum": credits_text(v["sum"]),
            }
        case "flat":
            return _("Fixed part: %(flat)s") % {"flat": credits_text(v["flat"])}
        case _:
            return _("Earned: %(sum)s") % {"sum": credits_text(v["sum"])}
