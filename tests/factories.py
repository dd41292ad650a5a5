"""One factory per model, and a builder for whole situations."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import factory
from shapely import Point, box, to_wkb

from grids.people.models import Member, Organisation, Role
from grids.places.models import (
    Building,
    Cell,
    CellBuilding,
    CellPlan,
    CellShape,
    Community,
)
from patrols.shifts.models import Seat, Shift
from timebank.earning.models import RuleLine, RuleVersion

# Monday, early afternoon in Shanghai.
NOW = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
_phones = count(13_800_000_000)


class CommunityFactory(factory.django.DjangoModelFactory[Community]):
    class Meta:
        model = Community
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"c{n}")
    name = factory.Sequence(lambda n: f"社区{n}")
    path = ""

    @factory.post_generation
    def set_path(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        self.path = f"{self.parent.path if self.parent else '/'}{self.pk}/"
        self.save(update_fields=["path"])


class CellFactory(factory.django.DjangoModelFactory[Cell]):
    class Meta:
        model = Cell

    community = factory.SubFactory(CommunityFactory)
    code = factory.Sequence(lambda n: f"G{n:03d}")


class BuildingFactory(factory.django.DjangoModelFactory[Building]):
    class Meta:
        model = Building

    community = factory.SubFactory(CommunityFactory)
    source_id = factory.Sequence(str)
    address = factory.Sequence(lambda n: f"文化路{n}号")
    dwellings = 20
    lat = 37.16
    lon = 122.42
    geometry = factory.LazyAttribute(lambda o: to_wkb(Point(o.lon, o.lat).buffer(0.0001)))


class MemberFactory(factory.django.DjangoModelFactory[Member]):
    class Meta:
        model = Member

    phone = factory.LazyFunction(lambda: f"+86{next(_phones)}")
    display_name = factory.Sequence(lambda n: f"王{n}")
    joined_at = NOW - timedelta(days=100)


class OrganisationFactory(factory.django.DjangoModelFactory[Organisation]):
    class Meta:
        model = Organisation

    community = factory.SubFactory(CommunityFactory)
    name = factory.Sequence(lambda n: f"幸福食堂{n}")


class RoleFactory(factory.django.DjangoModelFactory[Role]):
    class Meta:
        model = Role

    member = factory.SubFactory(MemberFactory)
    kind = Role.Kind.CAPTAIN
    starts_on = date(2020, 1, 1)


class ShiftFactory(factory.django.DjangoModelFactory[Shift]):
    """A patrol of 90 minutes starting at NOW + 1 h, with open seats."""

    class Meta:
        model = Shift
        skip_postgeneration_save = True

    community = factory.SubFactory(CommunityFactory)
    kind = "patrol"
    category = "patrol"
    title = "夜间巡逻"
    seats_total = 3
    starts_at = NOW + timedelta(hours=1)
    ends_at = factory.LazyAttribute(lambda o: o.starts_at + timedelta(minutes=90))
    local_date = factory.LazyAttribute(lambda o: (o.starts_at + timedelta(hours=8)).date())
    open_seats = factory.SelfAttribute("seats_total")
    meeting_code = "AB12CD"
    meeting_lat = 37.16
    meeting_lon = 122.42

    @factory.post_generation
    def seats(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        Seat.objects.bulk_create(
            Seat(shift=self, index=i + 1, starts_at=self.starts_at, ends_at=self.ends_at)
            for i in range(self.seats_total)
        )


def grant(member: Member, kind: str, **scope: Any) -> Role:
    """Give `member` a role over community=, cell= or organisation=."""
    return RoleFactory(member=member, kind=kind, **scope)


def take(seat: Seat, member: Member, state: str = "claimed") -> Seat:
    """Put `member` on `seat` without a service, keeping the shift's count right."""
    seat.member, seat.state, seat.taken_at = member, state, NOW
    seat.save()
    shift = seat.shift
    shift.open_seats -= 1
    shift.save(update_fields=["open_seats"])
    return seat


@dataclass
class Town:
    """A community with two square cells side by side, their captain, reviewer and volunteers."""

    community: Community
    cells: list[Cell]
    captain: Member
    reviewer: Member
    bookkeeper: Member
    volunteers: list[Member]
    buildings: list[Building] = field(default_factory=list)


def a_community(*, volunteers: int = 4) -> Town:
    """Build a Town with a published plan and Rongcheng's rule: 2 hours earn 1 credit."""
    district = CommunityFactory(level="district", name="荣成市")
    community = CommunityFactory(parent=district, name="河东社区")
    plan = CellPlan.objects.create(
        community=community, state="published", created_at=NOW, published_at=NOW
    )
    cells, buildings = [], []
    for i in range(2):
        cell = CellFactory(community=community)
        west = 122.41 + 0.01 * i
        CellShape.objects.create(
            plan=plan,
            cell=cell,
            geometry=to_wkb(box(west, 37.15, west + 0.01, 37.16)),
            households=400,
        )
        buildings.append(
            BuildingFactory(community=community, cell=cell, lat=37.155, lon=west + 0.005)
        )
        CellBuilding.objects.create(plan=plan, cell=cell, building=buildings[-1])
        cells.append(cell)
    people = [MemberFactory(community=community, home=buildings[i % 2]) for i in range(volunteers)]
    captain, reviewer, bookkeeper = (
        MemberFactory(community=community, home=buildings[0]) for _ in range(3)
    )
    grant(captain, "captain", community=community)
    grant(reviewer, "reviewer", community=community)
    grant(bookkeeper, "bookkeeper", community=community)
    version = RuleVersion.objects.create(
        community=community, number=1, starts_on=date(2020, 1, 1), created_at=NOW
    )
    RuleLine.objects.create(version=version, per_hour=50)
    return Town(community, cells, captain, reviewer, bookkeeper, people, buildings)
