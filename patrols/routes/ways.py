"""Shortest ways between all nodes of a small network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from patrols.routes.problem import Edge, Step


class Ways:
    """Distances between all nodes (`metres[a, b]`, inf where there is no way) and the way itself.

    Floyd and Warshall's recursion, a row of it at once: 300 nodes take some 50 ms.
    """

    def __init__(self, nodes: int, edges: tuple[Edge, ...] | list[Edge]) -> None:
        self._edges = edges
        far = np.full((nodes, nodes), np.inf)
        np.fill_diagonal(far, 0.0)
        # before[a, b]: the last node but one on the way from a to b.
        before = np.full((nodes, nodes), -1, dtype=np.int64)
        self._cheapest: dict[tuple[int, int], int] = {}
        for number, edge in enumerate(edges):
            for a, b in ((edge.u, edge.v), (edge.v, edge.u)):
                if a != b and edge.cost < far[a, b]:
                    far[a, b] = edge.cost
                    before[a, b] = a
                    self._cheapest[a, b] = number
        for middle in range(nodes):
            through = far[:, middle, None] + far[None, middle, :]
            # Only what is shorter for certain: rounding must not send a way round in a circle.
            better = through < far - 1e-9
            if better.any():
                far = np.where(better, through, far)
                before = np.where(better, before[middle][None, :], before)
        self.metres: NDArray[np.float64] = far
        self._before = before

    def nodes(self, a: int, b: int) -> list[int]:
        """Return the nodes from a to b, both included; raise ValueError where there is no way."""
        found = [b]
        while b != a:
            b = int(self._before[a, b])
            if b < 0:
                raise ValueError("there is no way")
            found.append(b)
        return found[::-1]

    def steps(self, a: int, b: int) -> list[Step]:
        """Return the edges walked from a to b, serving none."""
        nodes = self.nodes(a, b)
        found = []
        for here, there in pairwise(nodes):
            number = self._cheapest[here, there]
            found.append(Step(number, forward=self._edges[number].u == here, serves=False))
        return found
