"""Log hours, decide on them, pay them, and change what they are worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import BadInput, DomainError, NotFound
from common.locks import lock
from common.money import credits_text
from common.unit_of_work import current
from grids.people.models import HolderClass, Member
from grids.people.rules import require_role
from grids.places.models import Community
from realtime.events import record
from timebank.earning import queries, rates, rules
from timebank.earning.events import HoursApproved, HoursLogged, HoursRejected
from timebank.earning.models import Category, HourLog, RuleLine, RuleVersion
from timebank.ledger.models import Account, Posting
from timebank.ledger.services import Move, ensure_account, post

State = HourLog.State


class HoursLoggedTwice(DomainError):
    """The same source (such as a seat) already has its hours."""

    code = "hours_already_logged"
    detail = _("The hours of this duty have already been written down.")


class RuleInThePast(DomainError):
    """An earning table would start before today."""

    code = "rule_in_the_past"
    detail = _("New earning rules start today or later: the past is never changed.")


class RuleOutOfOrder(DomainError):
    """An earning table would start before, or with, one that is already there."""

    code = "rule_out_of_order"
    detail = _("New earning rules must start after the version before them.")


class RuleGap(DomainError):
    """An earning table says nothing about some category and class; `missing` names them."""

    code = "rule_gap"
    detail = _("The table leaves cases open. Give each a line, if need be of 0.")


@dataclass(frozen=True)
class Bulk:
    """What a decision on several logs did: which were approved, and why others were not."""

    approved: list[int]
    refused: dict[int, str]


def log_hours(
    *,
    member: Member,
    community: Community,
    category: str,
    title: str,
    worked_on: date,
    minutes: int,
    source_type: str,
    source_id: int,
    evidence: dict[str, Any],
    trusted: bool,
    actor: Member | None,
    now: datetime,
) -> HourLog:
    """Write down minutes worked; approve and pay them at once where evidence and community allow.

    The caller holds the member's row lock. `trusted` means that the evidence needs no second
    look; with the community's `auto_approve_hours` the log is approved (`automatic`) and its
    credits are posted in this same commit. Raises HoursLoggedTwice.
    """
    work = current()
    if minutes <= 0:
        raise ValueError("hours need at least one minute")
    if HourLog.objects.filter(source_type=source_type, source_id=source_id).exists():
        raise HoursLoggedTwice
    hour = HourLog.objects.create(
        community=community,
        member=member,
        category=category,
        title=title,
        worked_on=worked_on,
        minutes=minutes,
        source_type=source_type,
        source_id=source_id,
        evidence=evidence,
        logged_at=now,
        entered_by=actor,
    )
    at_once = trusted and community.auto_approve_hours
    work.audit(
        "hours.logged",
        hour,
        after={"member": member.pk, "minutes": minutes, "trusted": trusted, "automatic": at_once},
    )
    record(
        HoursLogged(
            hours=hour.pk, minutes=minutes, state=State.APPROVED if at_once else State.PENDING
        ),
        topics=[f"member:{member.pk}"],
    )
    if at_once:
        _approve(hour, decided_by=None, now=now)
    return hour


def revise_pending_hours(
    *,
    source_type: str,
    source_id: int,
    minutes: int,
    evidence: dict[str, Any],
    actor: Member | None,
    now: datetime,
) -> HourLog | None:
    """Give a waiting log the evidence that reached us late; a decided one is left alone.

    Returns the log, or None where there is none waiting. Never approves by itself.
    """
    found = HourLog.objects.filter(source_type=source_type, source_id=source_id).first()
    if found is None:
        return None
    hour = lock(HourLog.objects.all(), [found.pk])[found.pk]
    if hour.state != State.PENDING or minutes <= 0:
        return None
    before = {"minutes": hour.minutes}
    hour.minutes, hour.evidence = minutes, evidence
    hour.save(update_fields=["minutes", "evidence"])
    current().audit("hours.revised", hour, before=before, after={"minutes": minutes})
    return hour


def approve_hours(*, hour_log_id: int, actor: Member, now: datetime) -> HourLog:
    """Approve waiting hours and post their credits; where no rule held, post none.

    Raises NotFound, OwnHours, EnteredByYou, NotAllowed or AlreadyDecided.
    """
    hour = _locked_for_decision(hour_log_id, actor)
    rules.require_step(hour, "approve")
    _approve(hour, decided_by=actor, now=now)
    return hour


def approve_selected(*, hour_log_ids: Iterable[int], actor: Member, now: datetime) -> Bulk:
    """Approve many waiting logs; those that can't be are named with the refusal's code."""
    asked = set(hour_log_ids)
    seen = queries.hours_visible_to(actor).in_bulk(asked)
    refused = dict.fromkeys(sorted(asked - seen.keys()), NotFound.code)
    acted_for = set(queries.acted_for(actor))
    allowed: list[HourLog] = []
    for hour in seen.values():
        try:
            rules.require_may_decide(actor, hour, acted_for=acted_for)
        except DomainError as refusal:
            refused[hour.pk] = refusal.code
        else:
            allowed.append(hour)
    hours = _locked(allowed)
    waiting = [hour for hour in hours if hour.state == State.PENDING]
    refused |= {hour.pk: rules.AlreadyDecided.code for hour in hours if hour not in waiting}
    # Several postings in one commit: take all their accounts first, in the written order.
    lock(Account.objects.all(), [_purse(hour, now).pk for hour in waiting])
    for hour in waiting:
        _approve(hour, decided_by=actor, now=now)
    return Bulk(approved=[hour.pk for hour in waiting], refused=refused)


def reject_hours(*, hour_log_id: int, actor: Member, reason: str, now: datetime) -> HourLog:
    """Refuse waiting hours with a reason that the member reads.

    Raises NotFound, OwnHours, EnteredByYou, NotAllowed, AlreadyDecided, or BadInput without a
    reason.
    """
    reason = reason.strip()
    if not reason:
        raise BadInput({"reason": [str(_("Say why, so that the member understands."))]})
    hour = _locked_for_decision(hour_log_id, actor)
    hour.state = rules.require_step(hour, "reject")
    hour.decided_by, hour.decided_at, hour.reason = actor, now, reason
    hour.save(update_fields=["state", "decided_by", "decided_at", "reason"])
    current().audit("hours.rejected", hour, after={"state": hour.state, "reason": reason})
    record(
        HoursRejected(hours=hour.pk, minutes=hour.minutes, reason=reason),
        topics=[f"member:{hour.member_id}"],
    )
    return hour


def create_rule_version(
    *,
    community: Community,
    starts_on: date,
    lines: Sequence[rates.Line],
    note: str,
    actor: Member,
    now: datetime,
) -> RuleVersion:
    """Add an earning table that holds from `starts_on` (a day in the community's zone).

    Hours are rated by the version of the day they were worked on, so nothing in the past moves.
    Raises NotAllowed, RuleInThePast, RuleOutOfOrder, RuleGap or BadInput (unknown or twice).
    """
    require_role(actor, rules.RULE_MAKERS, community=community)
    _check_lines(lines)
    # The number is taken under the community's lock.
    community = lock(Community.objects.all(), [community.pk])[community.pk]
    if starts_on < rules.local_date(community, now):
        raise RuleInThePast
    last = RuleVersion.objects.filter(community=community).order_by("-number").first()
    if last is not None and starts_on <= last.starts_on:
        raise RuleOutOfOrder(last_starts_on=last.starts_on.isoformat())
    version = RuleVersion.objects.create(
        community=community,
        number=last.number + 1 if last else 1,
        starts_on=starts_on,
        note=note,
        created_by=actor,
        created_at=now,
    )
    RuleLine.objects.bulk_create(
        RuleLine(
            version=version,
            category=line.category,
            holder_class=line.holder_class,
            per_hour=line.per_hour,
            flat=line.flat,
            most_minutes_a_day=line.most_minutes_a_day,
        )
        for line in lines
    )
    current().audit(
        "rules.created",
        version,
        after={"number": version.number, "starts_on": starts_on.isoformat(), "lines": len(lines)},
    )
    return version


def _check_lines(lines: Sequence[rates.Line]) -> None:
    seen: set[tuple[str, str]] = set()
    for line in lines:
        place = (line.category, line.holder_class)
        known = line.category in {"", *Category.values} and line.holder_class in {
            "", *HolderClass.values
        }  # fmt: skip
        if not known or place in seen or min(line.per_hour, line.flat) < 0:
            raise BadInput(
                {"lines": [str(_("Each category and class once, and no amount below 0."))]}
            )
        seen.add(place)
    missing = rates.gaps(lines, Category.values, HolderClass.values)
    if missing:
        raise RuleGap(missing=[{"category": c, "holder_class": h} for c, h in missing])


def _locked_for_decision(hour_log_id: int, actor: Member) -> HourLog:
    """Check that `actor` may decide on this log, and return it locked and fresh."""
    hour = queries.hour_visible_to(actor, hour_log_id)
    rules.require_may_decide(actor, hour, acted_for=set(queries.acted_for(actor)))
    return _locked([hour])[0]


def _locked(seen: Sequence[HourLog]) -> list[HourLog]:
    """Lock members then logs, and return the logs fresh, in id order.

    The member's lock makes the cap of a day exact when two of their logs are approved at once.
    """
    members = lock(Member.objects.all(), [hour.member_id for hour in seen])
    fresh = lock(HourLog.objects.all(), [hour.pk for hour in seen])
    communities = {hour.community_id: hour.community for hour in seen}
    for hour in fresh.values():
        hour.member = members[hour.member_id]
        hour.community = communities[hour.community_id]
    return list(fresh.values())


def _purse(hour: HourLog, now: datetime) -> Account:
    return ensure_account(
        community=hour.community, kind=Account.Kind.MEMBER, now=now, member=hour.member
    )


def _approve(hour: HourLog, *, decided_by: Member | None, now: datetime) -> None:
    """Move a locked waiting log to approved and post what it earned."""
    hour.state = rules.require_step(hour, "approve")
    hour.decided_by, hour.decided_at, hour.automatic = decided_by, now, decided_by is None
    version = queries.rule_version_for(hour.community, hour.worked_on)
    rating = rates.rate(None, hour.minutes)
    if version is not None:
        stored = list(version.lines.all())
        table = [queries.pure(line) for line in stored]
        line = rates.line_for(table, hour.category, hour.member.holder_class)
        before = 0
        if line is not None and line.most_minutes_a_day is not None:
            before = queries.counted_before(hour, version, line, table)
        rating = rates.rate(line, hour.minutes, counted_before=before)
        hour.rule_version = version
        hour.rule_line = stored[table.index(line)] if line is not None else None
    hour.counted_minutes, hour.credits_earned = rating.counted, rating.credits
    if rating.credits:
        hour.posting = _pay(hour, actor=decided_by, now=now)
    hour.save(
        update_fields=[
            "state", "decided_by", "decided_at", "automatic", "rule_version", "rule_line",
            "counted_minutes", "credits_earned", "posting",
        ]
    )  # fmt: skip
    current().audit(
        "hours.approved",
        hour,
        after={"credits": hour.credits_earned, "automatic": hour.automatic},
    )
    record(
        HoursApproved(
            hours=hour.pk,
            minutes=hour.minutes,
            credits=credits_text(hour.credits_earned),
            automatic=hour.automatic,
        ),
        topics=[f"member:{hour.member_id}"],
    )


def _pay(hour: HourLog, *, actor: Member | None, now: datetime) -> Posting:
    issue = ensure_account(community=hour.community, kind=Account.Kind.ISSUE, now=now)
    return post(
        actor=actor,
        key=f"hours:{hour.pk}",
        reason=Posting.Reason.EARNED,
        moves=[Move(debit=issue.pk, credit=_purse(hour, now).pk, amount=hour.credits_earned)],
        now=now,
        memo=hour.title,
        source=("hour_log", hour.pk),
        rule_version=hour.rule_version_id,
    )
