"""Taking in a community's members from a list, all or nothing."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db.models import Q

from common.errors import DomainError, NotAllowed
from common.unit_of_work import current
from grids.people import rules
from grids.people.members_csv import Fault, MemberRow
from grids.people.models import Member
from grids.places.models import Building, Community

_A_TIME = 500


class ImportRefused(DomainError):
    """Some rows can't be taken in, so none was; `faults` says which and why."""

    code = "import_refused"
    detail = "Some rows can't be taken in; nothing was imported."

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(errors=[str(fault) for fault in faults])
        self.faults = faults


def import_members(
    *,
    rows: Sequence[MemberRow],
    community: Community,
    actor: Member | None,
    now: datetime,
    progress: Callable[[int], object] = lambda _count: None,
    dry_run: bool = False,
) -> int:
    """Add these members to `community` and return how many; `dry_run` only checks.

    A member whose home lies in a community below joins that one. Raises NotAllowed, and
    ImportRefused with every fault: unknown or ambiguous address, phone or name and address twice
    (in the list or beside present members).
    """
    work = current()
    if not rules.administers(actor, community=community):
        raise NotAllowed
    homes = _Homes(community)
    found = {row.row: homes.find(row.address) for row in rows if row.address}
    faults = [
        Fault(row.row, "address", home)
        for row in rows
        if isinstance(home := found.get(row.row), str)
    ]
    faults += _twice(rows, found) + _present(rows, found)
    if faults:
        raise ImportRefused(sorted(faults, key=lambda fault: fault.row))
    if dry_run:
        return len(rows)
    for start in range(0, len(rows), _A_TIME):
        part = rows[start : start + _A_TIME]
        Member.objects.bulk_create(_member(row, found.get(row.row), community, now) for row in part)
        progress(len(part))
    # No names: the audit trail outlives an erasure.
    work.audit("members.imported", community, after={"count": len(rows)})
    return len(rows)


def _member(
    row: MemberRow, home: Building | str | None, community: Community, now: datetime
) -> Member:
    assert not isinstance(home, str)
    return Member(
        phone=row.phone,
        display_name=row.name,
        language=row.language,
        holder_class=row.holder_class,
        home=home,
        community_id=home.community_id if home else community.pk,
        joined_at=now,
        password=make_password(None),
    )


def _key(row: MemberRow, found: Mapping[int, Building | str | None]) -> tuple[str, int] | None:
    home = found.get(row.row)
    return (row.name, home.pk) if isinstance(home, Building) else None


def _twice(rows: Iterable[MemberRow], found: Mapping[int, Building | str | None]) -> list[Fault]:
    """Return the rows that repeat an earlier row's phone, or its name and address."""
    faults = []
    phones: dict[str, int] = {}
    people: dict[tuple[str, int], int] = {}
    for row in rows:
        if row.phone and phones.setdefault(row.phone, row.row) != row.row:
            faults.append(Fault(row.row, "phone", f"stands in row {phones[row.phone]} already"))
        key = _key(row, found)
        if key and people.setdefault(key, row.row) != row.row:
            said = f"the same name and address stand in row {people[key]} already"
            faults.append(Fault(row.row, "name", said))
    return faults


def _present(rows: Sequence[MemberRow], found: Mapping[int, Building | str | None]) -> list[Fault]:
    """Return the rows whose phone, or name and address, a member has already."""
    faults = []
    for start in range(0, len(rows), _A_TIME):
        part = rows[start : start + _A_TIME]
        phones = [row.phone for row in part if row.phone]
        keys = [key for row in part if (key := _key(row, found))]
        known = Member.objects.filter(
            Q(phone__in=phones)
            | Q(display_name__in=[name for name, _ in keys], home__in=[home for _, home in keys])
        ).values_list("phone", "display_name", "home")
        known_phones = {str(phone) for phone, _, _ in known if phone}
        known_keys = {(name, home) for _, name, home in known}
        for row in part:
            if row.phone in known_phones:
                faults.append(Fault(row.row, "phone", "belongs to a member already"))
            elif _key(row, found) in known_keys:
                said = "a member of this name lives at this address already"
                faults.append(Fault(row.row, "name", said))
    return faults


class _Homes:
    """Finds the building that an address, with or without flat number, names."""

    def __init__(self, community: Community) -> None:
        self._by_address: dict[str, list[Building]] = {}
        rows = Building.objects.filter(community__path__startswith=community.path).only(
            "address", "name", "cell", "community"
        )
        for building in rows.order_by("pk"):
            for text in {normal(building.address), normal(building.name)} - {""}:
                self._by_address.setdefault(text, []).append(building)

    def find(self, address: str) -> Building | str:
        """Return the building, or what is wrong: the longest known address that starts it."""
        text = normal(address)
        for end in range(len(text), 0, -1):
            found = self._by_address.get(text[:end])
            # "文化路3" must not take in "文化路30号", nor "Street 1" "Street 1a".
            if not found or re.match(r"[0-9a-z][0-9a-z-]", text[end - 1 :]):
                continue
            if len({building.cell_id for building in found}) > 1:
                return f"{len(found)} buildings in different cells have the address {text[:end]!r}"
            return found[0]
        return f"no building has the address {address!r}"


def normal(text: str) -> str:
    """Write an address in one way: full-width forms, case and spaces do not count."""
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)
