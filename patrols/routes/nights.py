"""Which tours are walked on which night, so that every street has its turn within a week."""

from __future__ import annotations

NIGHTS = 7


def tours_of_night(night: int, tours: int, *, nights: int = NIGHTS) -> list[int]:
    """Return the indexes of the tours to walk on a night, counted from any beginning.

    One tour a night while there are at most `nights`; with more, as many a night as are needed,
    by as many teams. In any `nights` nights running every tour comes up.
    """
    if tours <= 0:
        return []
    teams = -(-tours // nights)
    start = night * teams
    return sorted({(start + team) % tours for team in range(teams)})


def teams_needed(tours: int, *, nights: int = NIGHTS) -> int:
    """Return how many tours a night has to walk."""
    return -(-tours // nights)
