"""Find the building that an address names, however it is written."""

import re
import unicodedata

from grids.places.models import Building, Community

_DIGITS = "零一二三四五六七八九"
_NUMERAL = re.compile(r"([零一二三四五六七八九十百]+)(?=号楼|号|幢|栋|座|楼|单元|弄|巷|室)")
_HOUSE = re.compile(r"第?([0-9]+|(?<![a-z])[a-z])(?:号楼|#楼|#|幢|栋|座|号栋|号幢|楼(?!层))")
# An address may begin with the names of what lies above: 山东省荣成市崖头街道河东社区….
_ABOVE = re.compile(r"[省市区县镇乡]|街道|社区|小区")


def normal(text: str) -> str:
    """Write an address in one way.

    Full-width forms, case and spaces do not count, 三号楼 is 3号楼, and 号楼, 幢, 栋, 座 are one.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    text = re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)
    text = _NUMERAL.sub(lambda found: _number(found[1]), text)
    return _HOUSE.sub(r"\1幢", text)


def _number(text: str) -> str:
    """Turn a Chinese numeral up to 999, or one said digit by digit, into digits."""
    if not set(text) & set("十百"):
        return "".join(str(_DIGITS.index(one)) for one in text)
    hundreds, _, rest = text.rpartition("百")
    tens, has_ten, ones = rest.rpartition("十")
    total = 100 * (_DIGITS.find(hundreds[-1]) if hundreds else int("百" in text))
    total += 10 * (_DIGITS.find(tens[-1]) if tens else int(bool(has_ten)))
    return str(total + (_DIGITS.find(ones[-1]) if ones else 0))


class Ambiguous(Exception):
    """Several buildings in different cells have this address."""

    def __init__(self, count: int, address: str) -> None:
        self.count, self.address = count, address
        super().__init__(address)


class AddressIndex:
    """The addresses and names of a community's buildings and of those below it."""

    def __init__(self, community: Community) -> None:
        self._known: dict[str, list[Building]] = {}
        rows = Building.objects.filter(community__path__startswith=community.path).only(
            "address", "name", "cell", "community", "lat", "lon"
        )
        for building in rows.order_by("pk").iterator():
            for text in {normal(building.address), normal(building.name)} - {""}:
                self._known.setdefault(text, []).append(building)

    def find(self, address: str) -> Building | None:
        """Return the building whose address begins this one (a flat may follow); None if none.

        Raises Ambiguous when buildings of different cells share it.
        """
        text = normal(address)
        starts = [0, *(found.end() for found in _ABOVE.finditer(text))]
        for start in starts:
            found = self._longest(text[start:])
            if found is not None:
                return found
        return None

    def like(self, query: str, *, most: int = 10) -> list[Building]:
        """Return buildings whose address or name holds the query, best match first."""
        text = normal(query)
        if not text:
            return []
        try:
            exact = self.find(query)
        except Ambiguous as several:
            return self._known[several.address][:most]
        held = [
            (len(known), building)
            for known, buildings in self._known.items()
            if text in known
            for building in buildings
        ]
        held.sort(key=lambda one: (one[0], one[1].pk))
        found = {building.pk: building for building in [exact, *(b for _, b in held)] if building}
        return list(found.values())[:most]

    def _longest(self, text: str) -> Building | None:
        for end in range(len(text), 0, -1):
            found = self._known.get(text[:end])
            # "文化路3" must not take in "文化路30号", nor "Street 1" "Street 1a".
            if not found or re.match(r"[0-9a-z][0-9a-z-]", text[end - 1 :]):
                continue
            if len({building.cell_id for building in found}) > 1:
                raise Ambiguous(len(found), text[:end])
            return found[0]
        return None
