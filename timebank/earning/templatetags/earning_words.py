"""Minutes, credits, reasons and evidence as people read them."""

from django import template

from common.money import credits_text
from timebank.earning import queries, wording
from timebank.earning.models import HourLog

register = template.Library()


@register.filter
def duration(minutes: int) -> str:
    """Write 90 as "1 h 30 min"."""
    return wording.duration(minutes)


@register.filter
def credits(amount: int) -> str:  # noqa: A001
    """Write 75 hundredths as "0.75"."""
    return credits_text(amount)


@register.filter
def why(hour: HourLog) -> list[str]:
    """Say line by line why a log earned what it earned."""
    return wording.sentences(queries.why(hour))


@register.filter
def evidence(hour: HourLog) -> list[wording.EvidenceLine]:
    """Say what the evidence of a log shows."""
    return wording.evidence_lines(hour.source_type, hour.evidence)
