"""Cut a small graph into contiguous parts of equal weight, exactly, as far as a budget goes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

SMALL = 36
"""Nodes up to which the search is worth starting."""
BUDGET = 2_000_000
"""Growing steps after which the best found so far is taken: at most some ten seconds."""


class _Spent(Exception):
    """Say that the budget is used up."""


class Exact:
    """Search all partitions of a connected graph, depth first, sets of nodes held as bits.

    Best is the least deviation of any part from the ideal, one below `slack` counting as none; then
    the fewest cut edges. Parts are grown one after another around a free node with few neighbours;
    what is left must be cuttable into parts of the wanted weight. `proven` tells after `solve`
    whether every partition was looked at.
    """

    def __init__(
        self,
        weights: Sequence[int],
        edges: Sequence[tuple[int, int]],
        *,
        parts: int,
        slack: float,
        budget: int = BUDGET,
    ) -> None:
        """Take a graph; `slack` is a weight."""
        self.weights, self.parts, self.left = list(weights), parts, budget
        self.near = [0] * len(self.weights)
        for a, b in edges:
            if a != b:
                self.near[a] |= 1 << b
                self.near[b] |= 1 << a
        self.ideal = sum(self.weights) / parts
        # Weights are multiples of a unit: no cut is more even than this.
        unit = math.gcd(*self.weights) or 1
        over = self.ideal % unit
        self.slack = max(slack, over and max(over, unit - over))
        self.best: tuple[float, int] = (float("inf"), 1 << 60)
        self.found: list[int] = []
        self.proven = False

    def solve(self, start: Sequence[int]) -> list[int]:
        """Return the best part number per node, `start` if nothing better is found."""
        masks = [0] * self.parts
        for v, p in enumerate(start):
            masks[p] |= 1 << v
        self.found = masks
        off = max(abs(self._weight(m) - self.ideal) for m in masks)
        cuts, done = 0, 0
        for m in masks:
            done |= m
            cuts += self._edges(m, ~done)
        self.best = (max(off, self.slack), cuts)
        try:
            self._search((1 << len(self.weights)) - 1, [], 0.0, 0)
            self.proven = True
        except _Spent:
            pass
        result = [0] * len(self.weights)
        for p, m in enumerate(self.found):
            for v in _bits(m):
                result[v] = p
        return result

    def _weight(self, mask: int) -> float:
        return float(sum(self.weights[v] for v in _bits(mask)))

    def _edges(self, one: int, other: int) -> int:
        return sum((self.near[v] & other).bit_count() for v in _bits(one))

    def _search(self, free: int, done: list[int], off: float, cuts: int) -> None:
        if len(done) == self.parts - 1:
            off = max(off, abs(self._weight(free) - self.ideal))
            if (max(off, self.slack), cuts) < self.best:
                self.best, self.found = (max(off, self.slack), cuts), [*done, free]
            return
        root = min(_bits(free), key=lambda v: (self.near[v] & free).bit_count())
        for part, weight in self._grow(root, free, off, cuts):
            rest = free & ~part
            now = max(off, abs(weight - self.ideal))
            cut = cuts + self._edges(part, rest)
            if (max(now, self.slack), cut) < self.best and self._fits(
                rest, self.parts - len(done) - 1
            ):
                self._search(rest, [*done, part], now, cut)

    def _grow(self, root: int, free: int, off: float, cuts: int) -> Iterator[tuple[int, float]]:
        """Yield each connected set of free nodes around the root whose weight may do.

        `banned` are nodes decided to stay out: their edges into the set are cut for certain.
        """
        near, weights = self.near, self.weights
        off = max(off, self.slack)
        stack = [(1 << root, near[root] & free, 0, float(weights[root]), cuts)]
        while stack:
            mask, rim, banned, weight, cut = stack.pop()
            self.left -= 1
            if self.left < 0:
                raise _Spent
            reach = self.best[0]
            if weight > self.ideal + reach or (off, cut) >= self.best:
                continue
            if weight >= self.ideal - reach:
                yield mask, weight
            rim &= ~(mask | banned)
            while rim:
                bit = rim & -rim
                rim ^= bit
                v = bit.bit_length() - 1
                stack.append(
                    (
                        mask | bit,
                        (rim | near[v]) & free & ~banned,
                        banned,
                        weight + weights[v],
                        cut + (near[v] & banned).bit_count(),
                    )
                )
                banned |= bit
                cut += (near[v] & mask).bit_count()

    def _fits(self, free: int, parts: int) -> bool:
        """Tell whether each connected piece left may be cut into parts of the wanted weight."""
        low, high = self.ideal - self.best[0], self.ideal + self.best[0]
        least = most = 0
        while free:
            piece = grown = free & -free
            while grown:
                spread = 0
                for v in _bits(grown):
                    spread |= self.near[v]
                grown = spread & free & ~piece
                piece |= grown
            weight = self._weight(piece)
            few = max(1, -int(-weight // high)) if high > 0 else 1
            many = int(weight // low) if low > 0 else piece.bit_count()
            if few > many:
                return False
            least, most = least + few, most + many
            free &= ~piece
        return least <= parts <= most


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
