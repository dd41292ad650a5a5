"""Taking in a community's members from a list, all or nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from django.contrib.auth.hashers import make_password
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotAllowed
from common.locks import lock
from common.unit_of_work import current
from grids.people import rules
from grids.people.members_file import MemberRow
from grids.people.models import Member
from grids.places.addresses import AddressIndex, Ambiguous
from grids.places.findings import Finding, Findings, Level
from grids.places.models import Building, Community

_A_TIME = 500
T = TypeVar("T")


class Duplicates(StrEnum):
    """What happens with rows of members who are there already."""

    REFUSE = "refuse"
    SKIP = "skip"
    UPDATE = "update"


class ImportRefused(DomainError):
    """Some rows can't be taken in, so none was; `findings` says which and why."""

    code = "import_refused"
    detail = _("Some rows can't be taken in; nothing was imported.")

    def __init__(self, findings: Findings) -> None:
        super().__init__(faults=findings.errors)
        self.findings = findings


@dataclass(frozen=True)
class MembersImported:
    """How many members an import added, changed and left as they are."""

    added: int
    changed: int
    skipped: int


@dataclass
class Plan:
    """What would happen with each row; nothing does while `findings` has errors."""

    add: list[tuple[MemberRow, Building | None]] = field(default_factory=list)
    update: dict[int, tuple[MemberRow, Building | None]] = field(default_factory=dict)
    skipped: int = 0
    findings: Findings = field(default_factory=Findings)


def plan_members(
    *,
    rows: Sequence[MemberRow],
    community: Community,
    duplicates: Duplicates = Duplicates.REFUSE,
    leave_unknown_homes: bool = False,
    located: Mapping[str, int] | None = None,
) -> Plan:
    """Match each row with a home and with members who are there; reads only.

    `located` maps addresses that no building has to buildings that a geocoder found.
    """
    return _Planner(community, duplicates, leave_unknown_homes, located or {}).plan(rows)


def import_members(
    *,
    rows: Sequence[MemberRow],
    community: Community,
    actor: Member | None,
    now: datetime,
    duplicates: Duplicates = Duplicates.REFUSE,
    leave_unknown_homes: bool = False,
    located: Mapping[str, int] | None = None,
    progress: Callable[[int], object] = lambda _count: None,
) -> MembersImported:
    """Add these members to `community`; those there already as `duplicates` says.

    A member whose home lies in a community below joins that one. Raises NotAllowed, and
    ImportRefused with every finding: unknown or ambiguous address, phone or name and address
    twice (in the list or beside present members).
    """
    work = current()
    if not rules.administers(actor, community=community):
        raise NotAllowed
    plan = plan_members(
        rows=rows,
        community=community,
        duplicates=duplicates,
        leave_unknown_homes=leave_unknown_homes,
        located=located,
    )
    if plan.findings.errors:
        raise ImportRefused(plan.findings)
    # Locked before the first write, in the written order.
    present = lock(Member.objects.filter(erased_at=None), plan.update)
    for part in _parts(list(plan.update)):
        changed = [_changed(present[pk], *plan.update[pk]) for pk in part if pk in present]
        Member.objects.bulk_update(
            changed, ["display_name", "phone", "language", "holder_class", "home", "community"]
        )
        progress(len(part))
    for some in _parts(plan.add):
        Member.objects.bulk_create(_member(row, home, community, now) for row, home in some)
        progress(len(some))
    done = MembersImported(len(plan.add), len(present), plan.skipped)
    # No names: the audit trail outlives an erasure.
    work.audit(
        "members.imported",
        community,
        after={"added": done.added, "changed": sorted(present), "skipped": done.skipped},
    )
    return done


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _A_TIME):
        yield items[start : start + _A_TIME]


def _member(row: MemberRow, home: Building | None, community: Community, now: datetime) -> Member:
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


def _changed(member: Member, row: MemberRow, home: Building | None) -> Member:
    """Set what the row says; what it leaves empty stays."""
    member.display_name = row.name
    if row.phone and not member.phone:
        member.phone = row.phone
    if "language" in row.given:
        member.language = row.language
    if "class" in row.given:
        member.holder_class = row.holder_class
    if home is not None:
        member.home, member.community_id = home, home.community_id
    return member


class _Planner:
    """Goes through the rows once, with what stood in earlier rows and who is there."""

    def __init__(
        self,
        community: Community,
        duplicates: Duplicates,
        leave_unknown_homes: bool,
        located: Mapping[str, int],
    ) -> None:
        self._community = community
        self._choice = duplicates
        self._leave = leave_unknown_homes
        self._index = AddressIndex(community)
        self._located = {
            building.pk: building for building in Building.objects.filter(pk__in=located.values())
        }
        self._located_by = located
        self._plan = Plan()
        self._phones: dict[str, int] = {}
        self._people: dict[tuple[str, int], int] = {}

    def plan(self, rows: Sequence[MemberRow]) -> Plan:
        for part in _parts(rows):
            placed = [(row, self._home(row)) for row in part]
            by_phone, by_person = self._present(placed)
            for row, home in placed:
                key = (row.name, home.pk) if home else None
                known = by_phone.get(row.phone or "") or (by_person.get(key) if key else None)
                self._take(row, home, key, known)
        return self._plan

    def _home(self, row: MemberRow) -> Building | None:
        findings = self._plan.findings
        if not row.address:
            return None
        try:
            found = self._index.find(row.address)
        except Ambiguous as several:
            findings.add(
                row.row,
                "address",
                "address_ambiguous",
                count=several.count,
                address=several.address,
            )
            return None
        if found is None and row.address in self._located_by:
            found = self._located.get(self._located_by[row.address])
        if found is None and self._leave:
            findings.add(row.row, "address", "home_left_empty", Level.WARNING, address=row.address)
        elif found is None:
            findings.add(row.row, "address", "address_unknown", address=row.address)
        return found

    def _present(
        self, placed: Iterable[tuple[MemberRow, Building | None]]
    ) -> tuple[dict[str, Member], dict[tuple[str, int], Member]]:
        phones = [row.phone for row, _ in placed if row.phone]
        keys = [(row.name, home.pk) for row, home in placed if home]
        known = Member.objects.filter(
            Q(phone__in=phones)
            | Q(display_name__in={name for name, _ in keys}, home__in={home for _, home in keys})
        ).select_related("community")
        by_phone = {str(member.phone): member for member in known if member.phone}
        by_person = {
            (member.display_name, member.home_id): member for member in known if member.home_id
        }
        return by_phone, by_person

    def _take(
        self,
        row: MemberRow,
        home: Building | None,
        key: tuple[str, int] | None,
        known: Member | None,
    ) -> None:
        if row.phone and self._phones.setdefault(row.phone, row.row) != row.row:
            self._twice(row, "phone", "phone_in_row", first=self._phones[row.phone])
        elif key and self._people.setdefault(key, row.row) != row.row:
            self._twice(row, "name", "person_in_row", first=self._people[key])
        elif known is None:
            self._plan.add.append((row, home))
        elif self._choice is not Duplicates.UPDATE:
            same_phone = row.phone is not None and str(known.phone) == row.phone
            self._twice(
                row,
                "phone" if same_phone else "name",
                "phone_known" if same_phone else "person_known",
            )
        else:
            self._update(row, home, known)

    def _twice(self, row: MemberRow, column: str, code: str, **facts: int) -> None:
        if self._choice is Duplicates.REFUSE:
            self._plan.findings.append(Finding(row.row, column, code, Level.ERROR, dict(facts)))
            return
        self._plan.skipped += 1
        self._plan.findings.add(row.row, column, "skipped", Level.DUPLICATE)

    def _update(self, row: MemberRow, home: Building | None, known: Member) -> None:
        findings = self._plan.findings
        place = known.community
        if place is None or not place.path.startswith(self._community.path) or known.erased_at:
            self._plan.skipped += 1
            findings.add(row.row, "phone", "not_ours", Level.DUPLICATE)
        elif (
            row.phone
            and str(known.phone or "") != row.phone
            and (known.phone or known.is_superuser or known.roles.exists())
        ):
            # A phone is how one signs in: no list hands an account to another.
            findings.add(row.row, "phone", "phone_differs")
        else:
            self._plan.update[known.pk] = (row, home)
            findings.add(row.row, "name", "updated", Level.DUPLICATE)
