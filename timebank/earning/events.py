"""What happened to a person's hours; told to that person only."""

from dataclasses import dataclass
from typing import ClassVar

from realtime.events import DomainEvent


@dataclass(frozen=True, kw_only=True)
class HoursLogged(DomainEvent):
    """Hours were written down and wait for somebody to approve them."""

    type: ClassVar[str] = "hours.logged"
    hours: int
    minutes: int
    state: str


@dataclass(frozen=True, kw_only=True)
class HoursApproved(DomainEvent):
    """Hours were approved; `credits` as in the API ("0.75")."""

    type: ClassVar[str] = "hours.approved"
    hours: int
    minutes: int
    credits: str
    automatic: bool


@dataclass(frozen=True, kw_only=True)
class HoursRejected(DomainEvent):
    """Hours were not accepted, and why."""

    type: ClassVar[str] = "hours.rejected"
    hours: int
    minutes: int
    reason: str
