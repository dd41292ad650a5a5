"""Who may decide on hours, and which steps an hour log may take."""

from collections.abc import Collection
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotAllowed
from grids.people.models import Member, Role
from grids.people.rules import has_role
from grids.places.models import Community
from timebank.earning.models import HourLog

State = HourLog.State

# The only steps there are; a decision is final, a mistake is corrected by a reversal.
TRANSITIONS: dict[str, tuple[str, str]] = {
    "approve": (State.PENDING, State.APPROVED),
    "reject": (State.PENDING, State.REJECTED),
}
REVIEWERS = (Role.Kind.REVIEWER, Role.Kind.CAPTAIN)
READERS = (Role.Kind.BOOKKEEPER, Role.Kind.AUDITOR, Role.Kind.ADMINISTRATOR)
RULE_MAKERS = (Role.Kind.BOOKKEEPER, Role.Kind.COUNCIL, Role.Kind.ADMINISTRATOR)


class OwnHours(DomainError):
    """The reviewer would gain: their own hours, or those of somebody whose purse they share."""

    code = "own_hours"
    status = 403
    detail = _("Hours of your own, or of somebody you act for, must be decided by somebody else.")


class EnteredByYou(DomainError):
    """The reviewer wrote down the evidence themselves (separation of duties)."""

    code = "entered_by_you"
    status = 403
    detail = _("You entered these hours yourself, so somebody else must decide on them.")


class AlreadyDecided(DomainError):
    """The log was approved or rejected before."""

    code = "already_decided"
    detail = _("These hours have already been decided.")


def require_step(hour: HourLog, step: str) -> str:
    """Return the state that `step` leads to; raise AlreadyDecided from any other state."""
    source, target = TRANSITIONS[step]
    if hour.state != source:
        raise AlreadyDecided(
            state=hour.state, decided_at=hour.decided_at.isoformat() if hour.decided_at else None
        )
    return target


def require_may_decide(actor: Member, hour: HourLog, *, acted_for: Collection[int]) -> None:
    """Let reviewers and captains of the community (or above it) decide, but on nothing of theirs.

    Theirs are: their own hours, those of their household (it may share one purse), those of
    anybody whose proxy they are, and what they entered as evidence. A captain counts as a reviewer
    because a small community often has nobody else awake at 22:00; the rule that nobody decides
    what they entered holds for both roles.
    `acted_for` are the ids of those people (`queries.acted_for`), read once for many logs.
    Raises OwnHours, EnteredByYou or NotAllowed.
    """
    same_household = actor.household_id is not None and (
        actor.household_id == hour.member.household_id
    )
    if same_household or hour.member_id == actor.pk or hour.member_id in acted_for:
        raise OwnHours
    if not has_role(actor, REVIEWERS, community=hour.community):
        raise NotAllowed
    if hour.entered_by_id == actor.pk:
        raise EnteredByYou


def local_date(community: Community, instant: datetime) -> date:
    """Return the date of `instant` in the community's zone."""
    return instant.astimezone(ZoneInfo(community.zone)).date()
