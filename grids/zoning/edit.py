"""Check by hand what a captain wants to move, from a neighbour graph prepared once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fabric import Fabric, weave
from .plan import CellKey
from .problem import Band, Building, BuildingId, Options, ProblemError, Street
from .regions import crossings

FORMAT = 1
"""Version of `Neighbours.as_dict`; another is refused."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Hold who borders whom in a town: prepared once, kept as JSON, asked often.

    `around[i]` are the indices of the neighbours of building `ids[i]`, ways over open land
    included. Buildings at the very same point name each other in `same`, since no border can part
    them.
    """

    ids: tuple[BuildingId, ...]
    dwellings: tuple[int, ...]
    around: tuple[tuple[int, ...], ...]
    same: Mapping[int, tuple[int, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it JSON-plain, given ids that are."""
        return {
            "format": FORMAT,
            "ids": list(self.ids),
            "dwellings": list(self.dwellings),
            "around": [[j for j in near if j > i] for i, near in enumerate(self.around)],
            "same": sorted(set(self.same.values())),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Neighbours:
        """Return what `as_dict` wrote; raise ProblemError for another format."""
        if data.get("format") != FORMAT:
            raise ProblemError(f"neighbours of format {data.get('format')!r}, need {FORMAT}")
        around: list[list[int]] = [[] for _ in data["ids"]]
        for i, later in enumerate(data["around"]):
            for j in later:
                around[i].append(j)
                around[j].append(i)
        return cls(
            ids=tuple(data["ids"]),
            dwellings=tuple(data["dwellings"]),
            around=tuple(tuple(near) for near in around),
            same={i: tuple(group) for group in data["same"] for i in group},
        )


def prepare(
    buildings: Sequence[Building],
    streets: Sequence[Street] = (),
    *,
    band: Band | None = None,
    options: Options | None = None,
) -> Neighbours:
    """Return the neighbour graph of a town, the same by which `draw_cells` draws."""
    options = options or Options()
    fabric = weave(buildings, streets, options)
    return neighbours_of(buildings, fabric, band=band, options=options)


def neighbours_of(
    buildings: Sequence[Building],
    fabric: Fabric,
    *,
    band: Band | None = None,
    options: Options | None = None,
) -> Neighbours:
    """Return the neighbour graph of a town whose fabric is woven."""
    options = options or Options()
    ways = [(k.one, k.two) for k in crossings(fabric, band=band or Band(), options=options)]
    around: list[list[int]] = [[] for _ in buildings]
    same: dict[int, tuple[int, ...]] = {}
    for members in fabric.of_unit:
        # Buildings at one point hang together by the first of them.
        for i in members[1:]:
            around[members[0]].append(i)
            around[i].append(members[0])
        if len(members) > 1:
            same.update(dict.fromkeys(members, tuple(members)))
    for a, b in [*map(tuple, fabric.pairs.tolist()), *ways]:
        i, j = fabric.of_unit[a][0], fabric.of_unit[b][0]
        around[i].append(j)
        around[j].append(i)
    return Neighbours(
        ids=tuple(b.id for b in buildings),
        dwellings=tuple(b.dwellings for b in buildings),
        around=tuple(tuple(sorted(set(near))) for near in around),
        same=same,
    )


@dataclass(frozen=True, slots=True)
class Effect:
    """Hold what a move does to one cell; `pieces` are contiguous parts, 0 of an empty cell.

    `stranded` are the buildings outside the piece with most households; `cut_off` those of them
    that the move parts from it: not what was apart before, nor what borders no building at all.
    """

    key: CellKey
    households_before: int
    households: int
    buildings_before: int
    buildings: int
    pieces_before: int
    pieces: int
    in_band_before: bool
    in_band: bool
    excess: int
    """Households above the band if positive, below if negative, 0 inside."""
    stranded: tuple[BuildingId, ...] = ()
    cut_off: tuple[BuildingId, ...] = ()

    @property
    def contiguous(self) -> bool:
        """Tell whether the cell hangs together; an emptied cell does."""
        return self.pieces <= 1


@dataclass(frozen=True, slots=True)
class MoveCheck:
    """Hold the answer to a proposed move: the cells it touches and what speaks against it.

    `broken` are cells that the move takes apart, further than they were; `leaving` those that were
    in the band and would leave it; `parted` buildings at one point that would be in two cells;
    `uprooted` seeds that would leave their cell; `locked` cells touched that must not be.
    """

    cells: tuple[Effect, ...]
    buildings_moved: int
    households_moved: int
    broken: tuple[CellKey, ...]
    leaving: tuple[CellKey, ...]
    emptied: tuple[CellKey, ...]
    parted: tuple[BuildingId, ...]
    uprooted: tuple[BuildingId, ...]
    locked: tuple[CellKey, ...]

    @property
    def allowed(self) -> bool:
        """Tell whether the move keeps every cell in one piece and breaks no lock.

        Leaving the band is for the caller to judge.
        """
        return not (self.broken or self.parted or self.locked)


def check_move(
    neighbours: Neighbours,
    cells: Mapping[BuildingId, CellKey],
    moves: Mapping[BuildingId, CellKey],
    *,
    band: Band | None = None,
    locked: Collection[CellKey] = (),
    seeds: Collection[BuildingId] = (),
) -> MoveCheck:
    """Tell what becomes of the cells if some buildings move.

    `cells` is the cell of each building now (a building may have none), `moves` the cell each of
    some buildings shall go to; a key not seen before is a new cell. Raises ProblemError for a
    building that is not in the graph.
    """
    band = band or Band()
    index = {b: i for i, b in enumerate(neighbours.ids)}
    unknown = [b for b in moves if b not in index]
    if unknown:
        raise ProblemError(f"building {unknown[0]!r} is not among the buildings")
    real = {index[b]: to for b, to in moves.items() if cells.get(b) != to}
    touched: dict[CellKey, None] = {}
    for i, to in real.items():
        old = cells.get(neighbours.ids[i])
        if old is not None:
            touched.setdefault(old)
        touched.setdefault(to)
    before: dict[CellKey, list[int]] = {key: [] for key in touched}
    after: dict[CellKey, list[int]] = {key: [] for key in touched}
    for i, b in enumerate(neighbours.ids):
        old = cells.get(b)
        if old in before:
            before[old].append(i)
        new = real.get(i, old)
        if new in after:
            after[new].append(i)
    effects = tuple(_effect(neighbours, key, before[key], after[key], band) for key in touched)
    parted = {
        neighbours.ids[j]
        for i in real
        for j in neighbours.same.get(i, ())
        if real.get(j, cells.get(neighbours.ids[j])) != real[i]
    }
    return MoveCheck(
        cells=effects,
        buildings_moved=len(real),
        households_moved=sum(neighbours.dwellings[i] for i in real),
        broken=tuple(e.key for e in effects if e.cut_off),
        leaving=tuple(e.key for e in effects if e.in_band_before and e.buildings and not e.in_band),
        emptied=tuple(e.key for e in effects if e.buildings_before and not e.buildings),
        parted=tuple(sorted(parted, key=repr)),
        uprooted=tuple(b for b in seeds if b in index and index[b] in real),
        locked=tuple(key for key in touched if key in locked),
    )


def _effect(
    neighbours: Neighbours, key: CellKey, before: list[int], after: list[int], band: Band
) -> Effect:
    homes = neighbours.dwellings
    was, now = sum(homes[i] for i in before), sum(homes[i] for i in after)
    old, bits = (_heaviest_first(neighbours, nodes) for nodes in (before, after))
    apart = {i for bit in old[1:] for i in bit}
    torn = [bit for bit in bits[1:] if not (apart.issuperset(bit) or _alone(neighbours, bit))]
    return Effect(
        key=key,
        households_before=was,
        households=now,
        buildings_before=len(before),
        buildings=len(after),
        pieces_before=len(old),
        pieces=len(bits),
        in_band_before=band.holds(was),
        in_band=band.holds(now),
        excess=max(0, now - band.max) or min(0, now - band.min),
        stranded=tuple(neighbours.ids[i] for bit in bits[1:] for i in bit),
        cut_off=tuple(neighbours.ids[i] for bit in torn for i in bit),
    )


def _heaviest_first(neighbours: Neighbours, nodes: list[int]) -> list[list[int]]:
    bits = _pieces(neighbours, nodes)
    bits.sort(key=lambda bit: (-sum(neighbours.dwellings[i] for i in bit), -len(bit)))
    return bits


def _alone(neighbours: Neighbours, piece: list[int]) -> bool:
    """Tell whether a piece borders no other building: nowhere does it hang better."""
    inside = set(piece)
    return all(inside.issuperset(neighbours.around[i]) for i in piece)


def _pieces(neighbours: Neighbours, nodes: Iterable[int]) -> list[list[int]]:
    left = dict.fromkeys(nodes)
    result = []
    while left:
        first = next(iter(left))
        del left[first]
        piece = [first]
        for at in piece:
            for u in neighbours.around[at]:
                if u in left:
                    del left[u]
                    piece.append(u)
        result.append(piece)
    return result


@dataclass(frozen=True, slots=True)
class Change:
    """Hold one building that is in another cell than before; None is no cell."""

    building: BuildingId
    households: int
    before: CellKey | None
    after: CellKey | None


@dataclass(frozen=True, slots=True)
class CellChange:
    """Hold how one cell changed: buildings and households that came from or went to other cells.

    `built` and `gone` are households of buildings that are new or no longer there.
    """

    key: CellKey
    households_before: int
    households: int
    came: int
    left: int
    built: int
    gone: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold what is different between two assignments of buildings to cells.

    `moved` are buildings in both, in another cell; `added` and `removed` are in one of them only.
    """

    moved: tuple[Change, ...]
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    cells: tuple[CellChange, ...]
    kept: tuple[CellKey, ...]
    new: tuple[CellKey, ...]
    retired: tuple[CellKey, ...]

    @property
    def buildings_moved(self) -> int:
        """Return how many buildings change cell."""
        return len(self.moved)

    @property
    def households_moved(self) -> int:
        """Return how many households change cell."""
        return sum(change.households for change in self.moved)


def diff(
    before: Mapping[BuildingId, CellKey],
    after: Mapping[BuildingId, CellKey],
    dwellings: Mapping[BuildingId, int],
) -> Difference:
    """Return what changes between two assignments; a building without dwellings given counts 0."""
    moved, added, removed = [], [], []
    tally: dict[CellKey, list[int]] = {}

    def of(key: CellKey) -> list[int]:
        return tally.setdefault(key, [0] * 6)

    for b in dict.fromkeys([*before, *after]):
        old, new, homes = before.get(b), after.get(b), dwellings.get(b, 0)
        change = Change(b, homes, old, new)
        if b in before:
            of(old)[0] += homes
        if b in after:
            of(new)[1] += homes
        if b not in before:
            added.append(change)
            of(new)[4] += homes
        elif b not in after:
            removed.append(change)
            of(old)[5] += homes
        elif old != new:
            moved.append(change)
            of(new)[2] += homes
            of(old)[3] += homes
    old_keys, new_keys = dict.fromkeys(before.values()), dict.fromkeys(after.values())
    return Difference(
        moved=tuple(moved),
        added=tuple(added),
        removed=tuple(removed),
        cells=tuple(
            CellChange(key, *numbers)
            for key, numbers in tally.items()
            if numbers[0] != numbers[1] or any(numbers[2:])
        ),
        kept=tuple(key for key in old_keys if key in new_keys),
        new=tuple(key for key in new_keys if key not in old_keys),
        retired=tuple(key for key in old_keys if key not in new_keys),
    )
