"""Reading hours and rules; everything a person may see starts here."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from common.errors import NotFound
from common.money import credits_text
from grids.people.models import Member, Proxy
from grids.people.rules import holds_on, roles_of, today
from grids.places.models import Community
from timebank.earning import rates
from timebank.earning.models import Category, HourLog, RuleLine, RuleVersion
from timebank.earning.rules import READERS, REVIEWERS

State = HourLog.State
_READ = ("member", "community", "rule_version", "rule_line", "decided_by")


def _in_communities(actor: Member, kinds: Iterable[str]) -> Q | None:
    """Filter hours of the communities (with subtrees) over which `actor` holds one of `kinds`."""
    wanted = set(kinds)
    found: Q | None = None
    for path in {
        role.community.path
        for role in roles_of(actor)
        if role.kind in wanted and role.community is not None
    }:
        here = Q(community__path__startswith=path)
        found = here if found is None else found | here
    return found


def acted_for(actor: Member) -> "QuerySet[Proxy, int]":
    """Return the ids of the members whose proxy `actor` is today."""
    return Proxy.objects.filter(holds_on(today()), proxy=actor).values_list("member_id", flat=True)


def hours_visible_to(actor: Member) -> QuerySet[HourLog]:
    """Return own hours, those of people one acts for, and those of communities one looks after."""
    visible = Q(member=actor) | Q(member__in=acted_for(actor))
    by_role = _in_communities(actor, (*REVIEWERS, *READERS))
    if by_role is not None:
        visible |= by_role
    return HourLog.objects.filter(visible).select_related(*_READ)


def hour_visible_to(actor: Member, hour_log_id: int) -> HourLog:
    """Return one log or raise NotFound."""
    hour = hours_visible_to(actor).filter(pk=hour_log_id).first()
    if hour is None:
        raise NotFound
    return hour


def own_hours(actor: Member) -> QuerySet[HourLog]:
    """Return the member's own logs, newest first."""
    return HourLog.objects.filter(member=actor).select_related(*_READ).order_by("-id")


def hours_to_review(actor: Member) -> QuerySet[HourLog]:
    """Return the waiting logs that `actor` may decide on, oldest first; as rules.py says."""
    by_role = _in_communities(actor, REVIEWERS)
    if by_role is None:
        return HourLog.objects.none()
    theirs = Q(member=actor) | Q(member__in=acted_for(actor)) | Q(entered_by=actor)
    if actor.household_id is not None:
        theirs |= Q(member__household=actor.household_id)
    return (
        HourLog.objects.filter(by_role, state=State.PENDING)
        .exclude(theirs)
        .select_related(*_READ)
        .order_by("id")
    )


def may_review(actor: Member) -> bool:
    """Say whether `actor` is a reviewer or captain of any community today."""
    return _in_communities(actor, REVIEWERS) is not None


def totals_of(member: Member) -> dict[str, int]:
    """Return `waiting` logs, honour `minutes` (approved) and `credits` earned (hundredths)."""
    approved, waiting = Q(state=State.APPROVED), Q(state=State.PENDING)
    sums: dict[str, Any] = HourLog.objects.filter(member=member).aggregate(
        waiting=Count("pk", filter=waiting),
        waiting_minutes=Sum("minutes", filter=waiting),
        minutes=Sum("minutes", filter=approved),
        credits=Sum("credits_earned", filter=approved),
    )
    return {name: int(value or 0) for name, value in sums.items()}


def rule_version_for(community: Community, day: date) -> RuleVersion | None:
    """Return the version in force on `day`: the community's own, else the nearest above it."""
    lineage = [int(part) for part in community.path.split("/") if part]
    depth = {pk: place for place, pk in enumerate(lineage)}
    candidates = {
        version.pk: version
        for version in RuleVersion.objects.filter(community_id__in=lineage, starts_on__lte=day)
    }
    chosen = rates.in_force(
        (
            rates.Version(v.pk, v.number, v.starts_on, depth[v.community_id])
            for v in candidates.values()
        ),
        day,
    )
    return candidates[chosen.pk] if chosen else None


def pure(line: RuleLine) -> rates.Line:
    """Return a stored line as the pure rules know it."""
    return rates.Line(
        category=line.category,
        holder_class=line.holder_class,
        per_hour=line.per_hour,
        flat=line.flat,
        most_minutes_a_day=line.most_minutes_a_day,
    )


def counted_before(
    hour: HourLog, version: RuleVersion, line: rates.Line, table: Sequence[rates.Line]
) -> int:
    """Return the minutes that `line` has already counted for this member on this day."""
    holder = hour.member.holder_class
    same = [c for c in Category.values if rates.line_for(table, c, holder) == line]
    counted = HourLog.objects.filter(
        member=hour.member_id,
        worked_on=hour.worked_on,
        rule_version=version,
        state=State.APPROVED,
        category__in=same,
    ).aggregate(sum=Sum("counted_minutes"))["sum"]
    return int(counted or 0)


def why(hour: HourLog) -> list[rates.Step]:
    """Explain an approved log from what was stored when it was approved."""
    if hour.state != State.APPROVED:
        return [rates.Step("worked", {"minutes": hour.minutes})]
    if hour.rule_line is None and hour.rule_version_id is not None:
        # Booked in bulk from an older system: only the sum is known.
        return [
            rates.Step("worked", {"minutes": hour.minutes}),
            rates.Step("earned", {"sum": hour.credits_earned}),
        ]
    return rates.explain(
        rates.Rating(
            minutes=hour.minutes,
            counted=hour.counted_minutes,
            credits=hour.credits_earned,
            line=pure(hour.rule_line) if hour.rule_line else None,
        )
    )


def export_of(member: Member) -> list[dict[str, Any]]:
    """Return the member's own hours for the personal-data export."""
    return [
        {
            "id": hour.pk,
            "category": str(hour.category),
            "title": hour.title,
            "worked_on": hour.worked_on.isoformat(),
            "minutes": hour.minutes,
            "state": str(hour.state),
            "credits": credits_text(hour.credits_earned),
            "reason": hour.reason,
            "evidence": hour.evidence,
            "logged_at": hour.logged_at.isoformat(),
        }
        for hour in own_hours(member)
    ]
