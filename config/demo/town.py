"""Build the demo town: Liechtenstein's real buildings, three communities, about 800 members.

Everything follows from one seed. What a person would enter goes through its service; people and
their availability are written in bulk, in one unit of work.
"""

import gzip
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from common.unit_of_work import unit_of_work
from config.demo.names import DATA, person_name, phone
from grids.people.models import Member, MemberSkill, Organisation, Proxy, Role, Skill
from grids.places.geojson import BuildingRow, read_buildings, read_streets
from grids.places.models import Building, Cell, CellShape, Community
from grids.places.plans import publish_plan
from grids.places.services import create_community, import_buildings, import_streets
from grids.zoning.services import draw_community, save_drawing
from patrols.rosters.models import Availability, Limits
from patrols.shifts.models import Activity
from timebank.earning.models import RuleLine, RuleVersion
from timebank.spending.models import Offer, Partner

ROOT = "LI"
ZONE = "Europe/Vaduz"
MEMBERS = 800
SEED = 20131
_METRES_PER_DEGREE = 111_195
_REACH_M = 2_500
_MOST_DWELLINGS = 100
Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Place:
    """One community of the demo: a code, a name, and the centres its buildings are nearest to."""

    code: str
    name: str
    centres: tuple[tuple[float, float], ...]
    automatic: bool


PLACES = (
    Place("LI-U", "下里社区 Unterland", ((47.222, 9.527), (47.238, 9.545), (47.212, 9.540)), True),
    Place("LI-V", "瓦杜兹社区 Vaduz", ((47.141, 9.521), (47.165, 9.510), (47.119, 9.545)), False),
    Place("LI-B", "巴尔采斯社区 Balzers", ((47.066, 9.503), (47.100, 9.523)), False),
)


@dataclass
class Cast:
    """The people whom the story and the sign-in links name."""

    captain: Member
    administrator: Member
    reviewer: Member
    bookkeeper: Member
    dispatcher: Member
    auditor: Member
    elder: Member
    elder_without_phone: Member
    neighbour: Member
    kitchen: Member
    merchant: Member


@dataclass
class DemoTown:
    """What was built."""

    root: Community
    communities: list[Community] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    cast: Cast | None = None


def exists() -> bool:
    """Say whether this database holds the demo town already."""
    return Community.objects.filter(code=ROOT).exists()


def build(*, now: datetime, story_on: date, say: Say) -> DemoTown:
    """Build the town; its patrols start on the local date `story_on`."""
    town = _places(now=now, say=say)
    with unit_of_work() as work:
        chance = random.Random(SEED)
        members = _members(town, chance, now, say)
        cast = _cast(town, members, chance, story_on)
        _willing(members, chance)
        _rules(town, story_on, now)
        _activities(town, cast, story_on)
        _partners(town, cast)
        work.audit("demo.built", town.root, after={"members": len(members)})
    town.cast = cast
    return town


def _load(name: str) -> list[Any]:
    with gzip.open(DATA / f"liechtenstein_{name}.geojson.gz", "rt", encoding="utf-8") as file:
        features: list[Any] = json.load(file)["features"]
    return features


def _nearest(lat: float, lon: float) -> str | None:
    """Return the code of the community whose villages are nearest, None for lone alps."""
    shrink = math.cos(math.radians(lat))
    near = {
        place.code: min(math.hypot(lat - y, (lon - x) * shrink) for y, x in place.centres)
        for place in PLACES
    }
    code = min(near, key=lambda name: near[name])
    return code if near[code] * _METRES_PER_DEGREE <= _REACH_M else None


def _homes(rows: list[BuildingRow]) -> list[BuildingRow]:
    """Count no households in halls: the data estimates dwellings from floor area alone."""
    return [replace(row, dwellings=0) if row.dwellings > _MOST_DWELLINGS else row for row in rows]


def _places(*, now: datetime, say: Say) -> DemoTown:
    buildings = read_buildings(_load("buildings"))
    streets = read_streets(_load("streets"))
    if buildings.errors or streets.errors:
        raise RuntimeError(f"The demo's map data is damaged: {buildings.errors + streets.errors}")
    with unit_of_work():
        root = create_community(
            code=ROOT, name="列支敦士登 Liechtenstein", level="district", zone=ZONE, now=now
        )
        town = DemoTown(root=root)
        for place in PLACES:
            community = create_community(
                code=place.code,
                name=place.name,
                parent=root,
                zone=ZONE,
                now=now,
                auto_approve_hours=place.automatic,
            )
            town.communities.append(community)
            middles = [(row, row.geometry.representative_point()) for row in _homes(buildings.rows)]
            own = [row for row, at in middles if _nearest(at.y, at.x) == place.code]
            lines = [(row, row.geometry.interpolate(0.5, normalized=True)) for row in streets.rows]
            import_buildings(community=community, rows=own, actor=None)
            import_streets(
                community=community,
                rows=[row for row, at in lines if _nearest(at.y, at.x) == place.code],
                actor=None,
            )
    for done, community in enumerate(town.communities):
        say("Drawing cells", done, len(town.communities))
        drawing = draw_community(community=community, band_min=300, band_max=500, seed=SEED)
        with unit_of_work():
            plan = save_drawing(community=community, drawing=drawing, seed=SEED, now=now)
            publish_plan(plan=plan, now=now)
    say("Drawing cells", len(town.communities), len(town.communities))
    town.cells = list(
        Cell.objects.filter(community__in=town.communities).order_by("community", "code")
    )
    return town


def _members(
    town: DemoTown, chance: random.Random, now: datetime, say: Say
) -> dict[int, list[Member]]:
    """Write the volunteers with homes in real buildings, spread by households; by cell id."""
    households = {
        shape.cell_id: shape.households
        for shape in CellShape.objects.filter(cell__in=town.cells, plan__state="published")
    }
    whole = sum(households.values())
    homes: dict[int, list[Building]] = {}
    for building in Building.objects.filter(cell__in=town.cells, dwellings__gt=0).order_by("pk"):
        homes.setdefault(building.cell_id or 0, []).append(building)
    made: list[Member] = []
    for cell in town.cells:
        share = max(12, round(MEMBERS * households[cell.pk] / whole))
        for _ in range(share):
            age = chance.choices(["elder", "adult", "young"], [30, 55, 15])[0]
            years = {"elder": (60, 74), "adult": (30, 59), "young": (18, 29)}[age]
            home = chance.choices(homes[cell.pk], [b.dwellings for b in homes[cell.pk]])[0]
            member = Member(
                phone=phone(len(made)),
                display_name=person_name(chance, age=age),
                language="zh-hans",
                community_id=cell.community_id,
                home=home,
                holder_class=chance.choices(["resident", "party_member"], [80, 20])[0],
                born_on=date(now.year - chance.randint(*years), chance.randint(1, 12), 15),
                joined_at=now - timedelta(days=chance.randint(30, 900)),
            )
            member.set_unusable_password()
            made.append(member)
    by_cell: dict[int, list[Member]] = {}
    for done in range(0, len(made), 100):
        for member in Member.objects.bulk_create(made[done : done + 100]):
            assert member.home is not None
            by_cell.setdefault(member.home.cell_id or 0, []).append(member)
        say("Settling members", min(done + 100, len(made)), len(made))
    return by_cell


def _person(
    number: int, name: str, community: Community, home: Building | None, now: datetime, **more: Any
) -> Member:
    member = Member(
        display_name=name,
        community=community,
        home=home,
        joined_at=now - timedelta(days=400),
        **{"phone": phone(90_000 + number), **more},
    )
    member.set_unusable_password()
    member.save()
    return member


def _cast(
    town: DemoTown, members: dict[int, list[Member]], chance: random.Random, since: date
) -> Cast:
    """Make the people with duties; captains of single cells come from its volunteers."""
    community = town.communities[1]
    now = datetime.combine(since, time(8), tzinfo=ZoneInfo(ZONE))
    homes = list(Building.objects.filter(community=community, dwellings__gt=1).order_by("pk")[:40])

    def person(number: int, name: str, **more: Any) -> Member:
        return _person(number, name, community, homes[number], now, **more)

    cast = Cast(
        captain=person(1, "王建国", born_on=date(1958, 3, 2)),
        administrator=person(2, "李文静", is_staff=True, is_superuser=True),
        reviewer=person(3, "张淑珍"),
        bookkeeper=person(4, "陈慧敏"),
        dispatcher=person(5, "刘振宇"),
        auditor=person(6, "赵国栋"),
        elder=person(7, "周桂兰", born_on=date(1944, 9, 9)),
        elder_without_phone=person(8, "孙庆云", phone=None, born_on=date(1941, 5, 1)),
        neighbour=person(9, "吴海燕"),
        kitchen=person(10, "徐美玲"),
        merchant=person(11, "马志强"),
    )
    roles = [
        Role(member=member, kind=kind, community=town.root, starts_on=since - timedelta(days=90))
        for member, kind in [
            (cast.administrator, Role.Kind.ADMINISTRATOR),
            (cast.reviewer, Role.Kind.REVIEWER),
            (cast.bookkeeper, Role.Kind.BOOKKEEPER),
            (cast.dispatcher, Role.Kind.DISPATCHER),
            (cast.auditor, Role.Kind.AUDITOR),
        ]
    ]
    roles.append(
        Role(
            member=cast.captain,
            kind=Role.Kind.CAPTAIN,
            community=community,
            starts_on=since - timedelta(days=90),
        )
    )
    for cell in town.cells:
        eldest = min(members[cell.pk], key=lambda member: (member.born_on, member.pk))
        roles.append(
            Role(
                member=eldest,
                kind=Role.Kind.CAPTAIN,
                cell=cell,
                starts_on=since - timedelta(days=chance.randint(60, 800)),
            )
        )
    Role.objects.bulk_create(roles)
    Proxy.objects.create(
        member=cast.elder_without_phone,
        proxy=cast.neighbour,
        starts_on=since - timedelta(days=30),
    )
    return cast


def _willing(members: dict[int, list[Member]], chance: random.Random) -> None:
    """Say when each volunteer can come (three or four evenings), and how often (twice a week)."""
    skill, _ = Skill.objects.get_or_create(code="first_aid", defaults={"name": "急救 First aid"})
    cooking, _ = Skill.objects.get_or_create(
        code="food_hygiene", defaults={"name": "食品卫生 Food hygiene"}
    )
    limits, windows, skills = [], [], []
    for member in (member for group in members.values() for member in group):
        limits.append(
            Limits(
                member=member,
                most_shifts_a_week=chance.choices([2, 3], [85, 15])[0],
                experienced=chance.random() < 0.35,
            )
        )
        evenings = chance.sample(range(1, 8), chance.choice([3, 4, 4]))
        windows += [_window(member, weekday, time(18), time(0)) for weekday in evenings]
        if chance.random() < 0.2:
            skills.append(MemberSkill(member=member, skill=skill))
        if chance.random() < 0.3:
            skills.append(MemberSkill(member=member, skill=cooking))
            mornings = chance.sample(range(1, 8), 3)
            windows += [_window(member, weekday, time(6), time(12)) for weekday in mornings]
    Limits.objects.bulk_create(limits)
    Availability.objects.bulk_create(windows)
    MemberSkill.objects.bulk_create(skills)


def _window(member: Member, weekday: int, since: time, until: time) -> Availability:
    return Availability(member=member, weekday=weekday, from_time=since, until_time=until)


def _rules(town: DemoTown, since: date, now: datetime) -> None:
    """Rongcheng's rule: two hours of volunteering earn one credit."""
    for community in town.communities:
        version = RuleVersion.objects.create(
            community=community,
            number=1,
            starts_on=since - timedelta(days=365),
            note="荣成规则：两小时记一币 Two hours earn one credit",
            created_at=now,
        )
        RuleLine.objects.create(version=version, per_hour=50)


def _activities(town: DemoTown, cast: Cast, since: date) -> None:
    """A patrol of three each night in every cell, and noon shifts at the two kitchens."""
    shapes = {
        shape.cell_id: shape
        for shape in CellShape.objects.filter(cell__in=town.cells, plan__state="published")
    }
    activities = []
    for cell in town.cells:
        meeting = _meeting_point(cell, shapes[cell.pk])
        activities.append(
            Activity(
                community_id=cell.community_id,
                cell=cell,
                kind="patrol",
                category="patrol",
                title="夜间巡逻 Night patrol",
                seats_total=3,
                wants_experienced=True,
                meeting_name=str(meeting),
                meeting_lat=meeting.lat,
                meeting_lon=meeting.lon,
                rrule="FREQ=DAILY",
                starts_on=since,
                starts_local=time(19, 30),
                duration_minutes=90,
            )
        )
    for community in town.communities[1:]:
        cell = next(cell for cell in town.cells if cell.community_id == community.pk)
        meeting = _meeting_point(cell, shapes[cell.pk])
        activities.append(
            Activity(
                community=community,
                cell=cell,
                kind="kitchen",
                category="kitchen",
                title="公益厨坊 Public kitchen",
                seats_total=4,
                required_skills=["food_hygiene"],
                meeting_name=str(meeting),
                meeting_lat=meeting.lat,
                meeting_lon=meeting.lon,
                rrule="FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA",
                starts_on=since,
                starts_local=time(9),
                duration_minutes=180,
            )
        )
    Activity.objects.bulk_create(activities)


def _meeting_point(cell: Cell, shape: CellShape) -> Building:
    """Choose the largest building with an address or name, else the largest."""
    rows = list(Building.objects.filter(cell=cell).order_by("-dwellings", "pk")[:80])
    return next((row for row in rows if row.address or row.name), rows[0])


def _partners(town: DemoTown, cast: Cast) -> None:
    """Two public kitchens and three merchants, with what they give for credits."""
    lunch = {"serves_from": time(11, 30), "serves_until": time(13, 30)}
    plan: list[tuple[int, str, str, Member | None, list[dict[str, Any]]]] = [
        (1, "瓦杜兹长者饭堂 Vaduz kitchen", "kitchen", cast.kitchen, [
            {"kind": "meal", "title": "长者午餐 Elders' lunch", "price": 50, "daily_seats": 40,
             "description": "两菜一汤 Two dishes and a soup", **lunch},
            {"kind": "meal", "title": "家庭套餐 Family lunch", "price": 120, "daily_seats": 20,
             "description": "三菜一汤 Three dishes and a soup", **lunch},
        ]),
        (2, "特里森公益厨坊 Triesen kitchen", "kitchen", None, [
            {"kind": "meal", "title": "邻里午餐 Neighbours' lunch", "price": 60,
             "daily_seats": 30, "description": "一荤两素 One meat, two greens", **lunch},
        ]),
        (1, "老街理发店 Barber", "merchant", cast.merchant, [
            {"kind": "service", "title": "理发 Haircut", "price": 100},
        ]),
        (2, "邻里粮油店 Grocer", "merchant", None, [
            {"kind": "goods", "title": "大米五公斤 Rice, 5 kg", "price": 300},
        ]),
        (0, "爱心洗衣坊 Laundry", "merchant", None, [
            {"kind": "service", "title": "洗衣一次 One wash", "price": 80},
        ]),
    ]  # fmt: skip
    number = 20
    for place, name, kind, staff, offers in plan:
        community = town.communities[place]
        organisation = Organisation.objects.create(community=community, name=name)
        if staff is None:
            home = Building.objects.filter(community=community, dwellings__gt=0).first()
            at = datetime.combine(date(2026, 1, 1), time(8), tzinfo=ZoneInfo(ZONE))
            staff = _person(number, "店员 " + name.split()[0][:4], community, home, at)
            number += 1
        Role.objects.create(
            member=staff,
            kind=Role.Kind.PARTNER_STAFF,
            organisation=organisation,
            starts_on=date(2026, 1, 1),
        )
        partner = Partner.objects.create(organisation=organisation, community=community, kind=kind)
        Offer.objects.bulk_create(Offer(partner=partner, **offer) for offer in offers)
