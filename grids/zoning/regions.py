"""Cut a town into regions that can be divided one by one, joining hamlets across gaps."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import networkx as nx
import numpy as np
import shapely

from .fabric import Fabric
from .improve import Graph
from .problem import Band, Options


@dataclass(frozen=True, slots=True)
class Bridge:
    """Hold a join of two units across open land, between two sites `metres` apart."""

    one: int
    two: int
    sites: tuple[int, int]
    metres: float


@dataclass(frozen=True, slots=True)
class Region:
    """Hold units that are connected by borders and bridges.

    `nearest_m` is the way to the nearest other region, None where there is none; `block` says that
    the region is one building above the band (and what clings to it); `barred` that a barrier runs
    between it and a neighbour.
    """

    units: tuple[int, ...]
    households: int
    block: bool = False
    nearest_m: float | None = None
    barred: bool = False


def split(
    fabric: Fabric, *, band: Band, options: Options, locked: AbstractSet[int]
) -> tuple[list[Region], list[Bridge]]:
    """Return regions of all units not locked, and the bridges that hold them together.

    A building above the band stands alone, since whatever joined it would only push it further out.
    Any other part that no number of cells fits is joined to its nearest neighbour, the smallest
    part first, over at most `options.join_m`; a part without households over any distance.
    """
    count = len(fabric.xy)
    blocks = {u for u in range(count) if u not in locked and fabric.households[u] > band.max}
    fixed = blocks | locked
    root = list(range(count))

    def find(u: int) -> int:
        while root[u] != u:
            root[u] = root[root[u]]
            u = root[u]
        return u

    for a, b in fabric.pairs.tolist():
        if a not in fixed and b not in fixed:
            root[find(a)] = find(b)
    _free_empty_neighbours(fabric, blocks, locked, root, find)

    home = [find(u) for u in range(count)]
    members: dict[int, list[int]] = {}
    households: dict[int, int] = {}
    for u in range(count):
        if u not in locked:
            members.setdefault(home[u], []).append(u)
            households[home[u]] = households.get(home[u], 0) + int(fabric.households[u])
    has_block = {home[u] for u in blocks}

    links = _links(fabric, locked, home)
    gaps: dict[int, list[tuple[float, int]]] = {r: [] for r in members}
    for at, link in enumerate(links):
        for end in (link.one, link.two):
            heapq.heappush(gaps[home[end]], (link.metres, at))

    def fits(h: int) -> bool:
        return h > 0 and bool(band.counts(h))

    wanting = [(h, r) for r, h in households.items() if r not in has_block and not fits(h)]
    heapq.heapify(wanting)
    used: list[Bridge] = []
    while wanting:
        h, r = heapq.heappop(wanting)
        if find(r) != r or households[r] != h or fits(h):
            continue
        queue = gaps[r]
        while queue:
            metres, at = queue[0]
            ends = {find(links[at].one), find(links[at].two)} - {r}
            other = ends.pop() if ends else r
            if other == r or (other in has_block and h > 0):
                heapq.heappop(queue)
                continue
            break
        if not queue or (h > 0 and metres > options.join_m):
            continue
        used.append(links[at])
        big, small = (other, r) if len(members[other]) >= len(members[r]) else (r, other)
        root[small] = big
        members[big] += members.pop(small)
        households[big] += households.pop(small)
        if len(gaps[big]) < len(gaps[small]):
            gaps[big], gaps[small] = gaps[small], gaps[big]
        for item in gaps.pop(small):
            heapq.heappush(gaps[big], item)
        if small in has_block:
            has_block.add(big)
        if big not in has_block and not fits(households[big]):
            heapq.heappush(wanting, (households[big], big))

    taken = {(b.one, b.two) for b in used}
    # Other short ways between the joined parts let cells form across a gap where that fits better.
    used += [
        link
        for link in links
        if link.metres <= options.join_m
        and (link.one, link.two) not in taken
        and find(link.one) == find(link.two)
        and find(link.one) not in has_block
    ]
    nearest: dict[int, float] = {}
    for link in links:
        a, b = find(link.one), find(link.two)
        if a != b:
            for r, other in ((a, b), (b, a)):
                if other not in has_block:
                    nearest[r] = min(nearest.get(r, link.metres), link.metres)
    regions = [
        Region(
            tuple(sorted(units)),
            households[r],
            r in has_block,
            nearest.get(r),
            not fabric.barred.isdisjoint(units),
        )
        for r, units in members.items()
    ]
    regions.sort(key=lambda region: region.units)
    return regions, used


def crossings(fabric: Fabric, *, band: Band, options: Options) -> list[Bridge]:
    """Return every way over open land that may join a cell, whatever the cells are now."""
    root = list(range(len(fabric.xy)))

    def find(u: int) -> int:
        while root[u] != u:
            root[u] = root[root[u]]
            u = root[u]
        return u

    for a, b in fabric.pairs.tolist():
        root[find(a)] = find(b)
    links = _links(fabric, frozenset(), [find(u) for u in range(len(root))])
    result = {(k.one, k.two): k for k in links if k.metres <= options.join_m}
    for bridge in split(fabric, band=band, options=options, locked=frozenset())[1]:
        result.setdefault((bridge.one, bridge.two), bridge)
    return [result[key] for key in sorted(result)]


def pinches(graph: Graph, *, band: Band) -> list[tuple[int, frozenset[int]]]:
    """Return (unit, forced units) for each proof that a connected graph has a cell above the band.

    Where removing one unit leaves a part below the band's minimum, that part cannot form cells by
    itself, so all of it shares a cell with the unit. If together they are above the maximum, no
    division has every cell in the band.
    """
    links = nx.Graph((a, b) for a, around in enumerate(graph.around) for b, _, _ in around)
    found = []
    for gate in sorted(nx.articulation_points(links)):
        forced: set[int] = {gate}
        for start, _, _ in graph.around[gate]:
            if start in forced:
                continue
            part, weight = [start], graph.weight[start]
            seen = {gate, start}
            for at in part:
                if weight >= band.min:
                    break
                for u, _, _ in graph.around[at]:
                    if u not in seen:
                        seen.add(u)
                        part.append(u)
                        weight += graph.weight[u]
            if weight < band.min:
                forced.update(part)
        if sum(graph.weight[u] for u in forced) > band.max:
            found.append((int(gate), frozenset(forced)))
    return found


def _free_empty_neighbours(
    fabric: Fabric,
    blocks: AbstractSet[int],
    locked: AbstractSet[int],
    root: list[int],
    find: Callable[[int], int],
) -> None:
    """Let parts without households that border only a block belong to it."""
    total: dict[int, int] = {}
    for u in range(len(root)):
        total[find(u)] = total.get(find(u), 0) + int(fabric.households[u])
    for a, b in fabric.pairs.tolist():
        for one, two in ((a, b), (b, a)):
            if one in blocks and two not in blocks and two not in locked and not total[find(two)]:
                top = find(two)
                if top != find(one):
                    root[top] = find(one)
                    total[find(one)] += total.get(top, 0)


def _links(fabric: Fabric, locked: AbstractSet[int], home: list[int]) -> list[Bridge]:
    """Return the shortest unobstructed gap for each two parts, shortest first.

    Delaunay edges hold every nearest way between two parts. A way is unobstructed if its middle is
    nearest to its own ends (a Gabriel edge): then the strip along it lies on its ends' own ground.
    """
    if len(fabric.gaps) == 0:
        return []
    tree = shapely.STRtree(shapely.get_parts(shapely.multipoints(fabric.sites)))
    ends = fabric.sites[fabric.gap_sites]
    middle = ends.mean(axis=1)
    _, distance = tree.query_nearest(
        shapely.points(middle), return_distance=True, all_matches=False
    )
    clear = np.asarray(distance) >= fabric.gap_m / 2 - 1e-6
    links: list[Bridge] = []
    seen: set[tuple[int, int]] = set()
    for at in np.flatnonzero(clear):
        one, two = (int(u) for u in fabric.gaps[at])
        if one in locked or two in locked or home[one] == home[two]:
            continue
        key = (min(home[one], home[two]), max(home[one], home[two]))
        if key not in seen:
            seen.add(key)
            p, q = (int(s) for s in fabric.gap_sites[at])
            links.append(Bridge(one, two, (p, q), float(fabric.gap_m[at])))
    return links
