"""Statements: a period of one account, with opening and closing balance."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from common.errors import BadInput
from common.money import credits_text
from common.spreadsheets import csv_text
from timebank.ledger.models import Account
from timebank.ledger.queries import account_data, balance_of, lines_data, lines_of
from timebank.ledger.seals import proofs_of

DAYS = 30
MOST_LINES = 5_000
MOST_LINES_PRINTED = 20_000


@dataclass(frozen=True)
class Period:
    """Local days, both included."""

    first: date
    last: date


def period(account: Account, first: date | None, last: date | None, now: datetime) -> Period:
    """Fill in what was not said: up to today, thirty days."""
    zone = ZoneInfo(account.ledger.community.zone)
    last = last or max(now.astimezone(zone).date(), first or date(1, 1, 1))
    return Period(first or last - timedelta(days=DAYS - 1), last)


def statement(
    account: Account, days: Period, *, proofs: bool = False, most: int = MOST_LINES
) -> dict[str, Any]:
    """Return account, days, opening and closing balance, and the lines, oldest first.

    With `proofs` each sealed line carries its inclusion proof (docs/ledger-format.md). At most
    `most` lines; `complete` says whether these are all.
    """
    zone = ZoneInfo(account.ledger.community.zone)
    start = datetime.combine(days.first, time(), zone)
    end = datetime.combine(days.last + timedelta(days=1), time(), zone)
    during = lines_of(account).filter(at__gte=start, at__lt=end)
    found = during[: most + 1]
    shown = found[:most]
    lines = lines_data(account, shown)
    if proofs:
        known = proofs_of(transfer.pk for transfer in shown)
        lines = [{**line, "proof": known.get(line["id"])} for line in lines]
    return {
        "account": account_data(account),
        "from": days.first,
        "to": days.last,
        "opening": credits_text(balance_of(account, before=start)),
        "closing": credits_text(balance_of(account, before=end)),
        "lines": lines,
        "complete": len(found) == len(shown),
    }


def statement_to_print(account: Account, days: Period) -> dict[str, Any]:
    """Return the whole statement with community and zone, for paper; BadInput if too long."""
    data = statement(account, days, most=MOST_LINES_PRINTED)
    if not data["complete"]:
        text = _("These days have more than %(most)s lines: choose a shorter period.")
        raise BadInput({"from": [text % {"most": MOST_LINES_PRINTED}]})
    community = account.ledger.community
    return {**data, "community": str(community), "zone": community.zone}


def attachment(account: Account, days: Period, kind: str) -> str:
    """Return the Content-Disposition under which a statement is saved."""
    return f'attachment; filename="statement-{account.pk}-{days.first}-{days.last}.{kind}"'


def in_local_time(account: Account, data: dict[str, Any]) -> dict[str, Any]:
    """Return a statement whose lines tell the community's time, as its days do."""
    zone = ZoneInfo(account.ledger.community.zone)
    return {
        **data,
        "lines": [{**line, "at": line["at"].astimezone(zone)} for line in data["lines"]],
    }


def statement_csv(data: dict[str, Any]) -> str:
    """Write a statement as CSV for spreadsheets, with a byte order mark for Chinese."""
    rows: list[list[object]] = [
        [_("Time"), _("What"), _("With"), _("Note"), _("In"), _("Out"), _("Held"), _("Balance")]
    ]
    for line in data["lines"]:
        moved, direction = line["moved"], line["direction"]
        rows.append(
            [
                line["at"].isoformat(timespec="seconds"),
                line["text"],
                line["other"]["name"],
                line["memo"],
                line["amount"] if moved and direction == "in" else "",
                line["amount"] if moved and direction == "out" else "",
                line["amount"] if line["phase"] == "pending" else "",
                line["balance"] or "",
            ]
        )
    return csv_text(rows)
