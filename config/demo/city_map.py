"""Draw the made-up ground of the demo city: estates of slab blocks along a grid of streets.

Only the names of communities are real (data/yatou_communities.csv: Yatou street, Rongcheng): no
free footprints of the town exist, so blocks, estates, streets and their names are invented around
37.165 N 122.42 E. Pure: the same seed gives the same city.
"""

import math
import random
from dataclasses import dataclass, field
from itertools import pairwise

from shapely import LineString, Polygon, box

from grids.places.geojson import BuildingRow, StreetRow

_LAT, _LON = 37.165, 122.42
_METRES_PER_DEGREE = 111_195
# An estate is 3 by 4 slabs, about 430 households: the size of a cell.
_ACROSS, _DOWN = 3, 4
_SLAB_X, _SLAB_Y, _STREET = 80.0, 36.0, 20.0
_ESTATE_X, _ESTATE_Y = _ACROSS * _SLAB_X + _STREET, _DOWN * _SLAB_Y + _STREET
_TILE_X, _TILE_Y = 3 * _ESTATE_X + 60, 4 * _ESTATE_Y + 60
_STAIR_X, _DEPTH, _LEVELS = 16.0, 12.0, 6
_SIDES = "东西南北中"
_AVENUES = ["文化路", "建设路", "人民路", "和平路", "幸福路"]
_CROSSINGS = ["光明路", "健康路", "团结路", "友谊路", "振华路", "海滨路"]


@dataclass
class Ground:
    """One community's made-up buildings and streets."""

    buildings: list[BuildingRow] = field(default_factory=list)
    streets: list[StreetRow] = field(default_factory=list)


def spread(total: int, weights: list[int]) -> list[int]:
    """Share a whole number by weight, so that the shares add up to it exactly."""
    whole, seen, cuts = sum(weights), 0, [0]
    for weight in weights:
        seen += weight
        cuts.append(round(total * seen / whole))
    return [after - before for before, after in pairwise(cuts)]


def cells_by_community(communities: int, cells: int, chance: random.Random) -> list[int]:
    """Say how many cells each community has: uneven, between 4 and 9 at Rongcheng's scale."""
    shares = spread(cells, [1] * communities)
    for _ in range(communities):
        giver, taker = chance.randrange(communities), chance.randrange(communities)
        if giver != taker and shares[giver] > 4 and shares[taker] < 9:
            shares[giver] -= 1
            shares[taker] += 1
    return shares


def lay_out(name: str, number: int, households: int, chance: random.Random) -> Ground:
    """Lay out community `number` with exactly this many households."""
    ground = Ground()
    sizes = _slabs(households, chance)
    estates = [sizes[i : i + _ACROSS * _DOWN] for i in range(0, len(sizes), _ACROSS * _DOWN)]
    across = 2 if len(estates) <= 6 else 3
    west = (number % 6 - 3) * _TILE_X
    north = (2 - number // 6) * _TILE_Y
    short = name.removesuffix("社区")
    for at, slabs in enumerate(estates):
        x, y = west + at % across * _ESTATE_X, north - at // across * _ESTATE_Y
        estate = f"{short}{_SIDES[at % 5]}苑" + ("" if at < 5 else f"{at // 5 + 1}期")
        street = f"{short}{at // across + 1}街"
        for place, dwellings in enumerate(slabs):
            ground.buildings.append(
                BuildingRow(
                    source_id=f"{number}-{at}-{place}",
                    name=f"{estate}{place + 1}号楼",
                    address=f"{estate}{place + 1}号楼",
                    street_name=street,
                    dwellings=dwellings,
                    levels=_LEVELS,
                    geometry=_slab(x, y, place, dwellings, chance),
                )
            )
    down = math.ceil(len(estates) / across)
    _add_streets(ground, short, number, (west, north), (across, down))
    return ground


def _slabs(households: int, chance: random.Random) -> list[int]:
    """Cut households into blocks of two to four stairwells, 12 flats each; the last is odd."""
    sizes = []
    left = households
    while left > 60:
        sizes.append(chance.choice([24, 36, 36, 48]))
        left -= sizes[-1]
    return [*sizes, left] if left else sizes


def _slab(x: float, y: float, place: int, dwellings: int, chance: random.Random) -> Polygon:
    width = math.ceil(dwellings / 12) * _STAIR_X
    left = x + _STREET + place % _ACROSS * _SLAB_X + chance.uniform(-2, 2)
    top = y - _STREET - place // _ACROSS * _SLAB_Y + chance.uniform(-2, 2)
    return box(*_degrees(left, top - _DEPTH), *_degrees(left + width, top))


def _degrees(x: float, y: float) -> tuple[float, float]:
    """Turn metres east and north of the middle into lon, lat."""
    shrink = math.cos(math.radians(_LAT))
    return _LON + x / (_METRES_PER_DEGREE * shrink), _LAT + y / _METRES_PER_DEGREE


def _add_streets(
    ground: Ground,
    short: str,
    number: int,
    corner: tuple[float, float],
    size: tuple[int, int],
) -> None:
    west, north = corner
    east, south = west + size[0] * _ESTATE_X, north - size[1] * _ESTATE_Y
    middle = _STREET / 2
    for row in range(size[1] + 1):
        y = north - row * _ESTATE_Y - middle
        named = _AVENUES[number // 6 % 5] if row == 0 else f"{short}{row}街"
        _add_street(ground, f"{number}-r{row}", named, row == 0, (west, y, east, y))
    for column in range(size[0] + 1):
        x = west + column * _ESTATE_X + middle
        named = _CROSSINGS[number % 6] if column == 0 else f"{short}{column}巷"
        _add_street(ground, f"{number}-c{column}", named, column == 0, (x, north, x, south))


def _add_street(
    ground: Ground,
    source_id: str,
    name: str,
    main: bool,
    ends: tuple[float, float, float, float],
) -> None:
    a, b = _degrees(*ends[:2]), _degrees(*ends[2:])
    ground.streets.append(
        StreetRow(
            source_id=source_id,
            name=name,
            highway="secondary" if main else "residential",
            length_m=math.dist(ends[:2], ends[2:]),
            geometry=LineString([a, b]),
        )
    )
