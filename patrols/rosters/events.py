"""What happened to plans: counts only, since the community's topic is public."""

from dataclasses import dataclass
from typing import ClassVar

from patrols.rosters.models import RosterRun
from realtime.events import DomainEvent, record


@dataclass(frozen=True, kw_only=True)
class RosterReady(DomainEvent):
    """A plan was solved (or failed, or was applied): see `state`."""

    type: ClassVar[str] = "roster.ready"
    run: int
    community: int
    state: str
    seats_total: int
    seats_filled: int


def record_run(run: RosterRun) -> None:
    """Tell the community's board, and whoever asked."""
    topics = [f"community:{run.community_id}"]
    if run.asked_by_id:
        topics.append(f"member:{run.asked_by_id}")
    record(
        RosterReady(
            run=run.pk,
            community=run.community_id,
            state=str(run.state),
            seats_total=run.seats_total,
            seats_filled=run.seats_filled,
        ),
        topics=topics,
    )
