"""Which drawn cell is which known one: identity follows the households."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .plan import CellKey
from .problem import BuildingId


def match(
    previous: Mapping[BuildingId, CellKey],
    drawn: Sequence[Sequence[BuildingId]],
    dwellings: Mapping[BuildingId, int],
) -> list[CellKey | None]:
    """Return for each drawn cell the known cell that it continues, None where it is new.

    The pair with most households in common comes first, each cell in one pair at most; of equal
    pairs the one with more buildings in common, then the one drawn first.
    """
    shared: defaultdict[tuple[int, CellKey], list[int]] = defaultdict(lambda: [0, 0])
    for at, buildings in enumerate(drawn):
        for b in buildings:
            if b in previous:
                tally = shared[at, previous[b]]
                tally[0] += dwellings.get(b, 0)
                tally[1] += 1
    result: list[CellKey | None] = [None] * len(drawn)
    taken: set[CellKey] = set()
    order = sorted(
        shared, key=lambda pair: (-shared[pair][0], -shared[pair][1], pair[0], repr(pair[1]))
    )
    for at, key in order:
        if result[at] is None and key not in taken:
            result[at] = key
            taken.add(key)
    return result
