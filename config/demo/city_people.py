"""The people of the demo city: volunteers, captains, staff, and when they can come."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from config.demo.city_bulk import Rows
from config.demo.city_duty import Volunteer
from config.demo.city_map import spread
from config.demo.names import person_name, phone
from config.demo.town import Cast, Say
from grids.people.models import Member, MemberSkill, Organisation, Proxy, Role, Skill
from grids.places.models import Building, Cell, CellShape, Community
from patrols.rosters.models import Availability, Limits
from timebank.spending.models import Offer, Partner

_PHONES_FROM = 1_000_000
CAST_PHONES = 90_000
_BATCH = 500
_ELDERS_EACH = 8
_AGES = {"elder": (60, 74), "adult": (30, 59), "young": (18, 29), "old": (75, 92)}
_LUNCH = {"serves_from": time(11, 30), "serves_until": time(13, 30)}


@dataclass
class Staff:
    """Who serves a community, and at what."""

    reviewer: Member
    elders: list[Member]
    kitchen: tuple[Offer, Member]
    merchants: list[tuple[Offer, Member]]


@dataclass
class People:
    """Everybody: volunteers by cell id, staff by community id."""

    volunteers: dict[int, list[Volunteer]] = field(default_factory=dict)
    members: dict[int, list[Member]] = field(default_factory=dict)
    staff: dict[int, Staff] = field(default_factory=dict)


class Settling:
    """Makes members one after another, with phones and homes, and writes them in batches."""

    def __init__(
        self, chance: random.Random, now: datetime, *, phones_from: int = _PHONES_FROM
    ) -> None:
        self._chance, self._now = chance, now
        self._number = phones_from

    def person(
        self, age: str, community: Community, home: Building, *, days: int, **more: Any
    ) -> Member:
        """Make a member, not yet saved, who joined `days` ago."""
        years = self._chance.randint(*_AGES[age])
        member = Member(
            display_name=more.pop("name", None)
            or person_name(self._chance, age="elder" if age == "old" else age),
            community=community,
            home=home,
            born_on=date(self._now.year - years, self._chance.randint(1, 12), 15),
            joined_at=self._now - timedelta(days=days),
            **{"phone": phone(self._number), **more},
        )
        member.set_unusable_password()
        self._number += 1
        return member

    def volunteer(self, community: Community, homes: Sequence[Building], days: int) -> Member:
        """Make a volunteer in one of these homes; most joined before the year began."""
        chance = self._chance
        joined = chance.randint(days + 1, days + 900)
        if chance.random() < 0.15:
            joined = chance.randint(1, days)
        return self.person(
            chance.choices(["elder", "adult", "young"], [30, 55, 15])[0],
            community,
            chance.choices(homes, [home.dwellings for home in homes])[0],
            days=joined,
            holder_class=chance.choices(["resident", "party_member"], [80, 20])[0],
        )


def settle(
    communities: list[Community],
    cells: list[Cell],
    *,
    volunteers: int,
    days: int,
    now: datetime,
    chance: random.Random,
    say: Say,
) -> People:
    """Write members with homes, their availability and limits, the captains and all staff."""
    people = People()
    settling = Settling(chance, now)
    homes: dict[int, list[Building]] = {}
    for building in Building.objects.filter(cell__in=cells, dwellings__gt=0).order_by("pk"):
        homes.setdefault(building.cell_id or 0, []).append(building)
    households = dict(
        CellShape.objects.filter(cell__in=cells, plan__state="published").values_list(
            "cell_id", "households"
        )
    )
    shares = spread(volunteers, [households[cell.pk] for cell in cells])
    place = {community.pk: community for community in communities}
    made = [
        settling.volunteer(place[cell.community_id], homes[cell.pk], days)
        for cell, share in zip(cells, shares, strict=True)
        for _ in range(share)
    ]
    for done in range(0, len(made), _BATCH):
        say("Settling members", done, len(made))
        for member in Member.objects.bulk_create(made[done : done + _BATCH]):
            assert member.home is not None
            people.members.setdefault(member.home.cell_id or 0, []).append(member)
    say("Settling members", len(made), len(made))
    _willing(people, chance, now=now, days=days)
    _captains(people, cells, now)
    for community in communities:
        own = [b for cell in cells if cell.community_id == community.pk for b in homes[cell.pk]]
        people.staff[community.pk] = _staff(settling, community, own, chance, now)
    return people


def _willing(people: People, chance: random.Random, *, now: datetime, days: int) -> None:
    """Say when each volunteer can come (three or four evenings), and how often a week."""
    limits = Rows(Limits, "member_id most_shifts_a_week experienced")
    windows = Rows(Availability, "member_id weekday from_time until_time")
    codes = {"first_aid": "急救 First aid", "food_hygiene": "食品卫生 Food hygiene"}
    aid, cooking = (
        Skill.objects.get_or_create(code=code, defaults={"name": name})[0]
        for code, name in codes.items()
    )
    skills = Rows(MemberSkill, "member_id skill_id")
    for cell, members in people.members.items():
        for member in members:
            evenings = chance.sample(range(1, 8), chance.choice([3, 4, 4]))
            most, skilled = chance.choices([2, 3], [85, 15])[0], chance.random() < 0.35
            limits.add(member.pk, most, skilled)
            for weekday in evenings:
                windows.add(member.pk, weekday, time(18), time(22, 30))
            if chance.random() < 0.2:
                skills.add(member.pk, aid.pk)
            if chance.random() < 0.2:
                skills.add(member.pk, cooking.pk)
                for weekday in chance.sample(range(1, 8), 3):
                    windows.add(member.pk, weekday, time(9), time(14))
            joined_day = days - (now - member.joined_at).days + 1
            people.volunteers.setdefault(cell, []).append(
                Volunteer(member.pk, frozenset(evenings), most, skilled, joined_day)
            )
    for rows in (limits, windows, skills):
        rows.write()


def _captains(people: People, cells: list[Cell], now: datetime) -> None:
    """Make the eldest volunteer of each cell its captain."""
    roles = []
    for cell in cells:
        eldest = min(people.members[cell.pk], key=lambda member: (member.born_on, member.pk))
        since = eldest.joined_at.date()
        roles.append(
            Role(member=eldest, kind=Role.Kind.CAPTAIN, cell=cell, starts_on=min(since, now.date()))
        )
    Role.objects.bulk_create(roles)


def _staff(
    settling: Settling,
    community: Community,
    homes: list[Building],
    chance: random.Random,
    now: datetime,
) -> Staff:
    """Make a community's reviewer, its elders, a kitchen and two merchants."""
    short = community.name.removesuffix("社区")

    def person(age: str = "adult", **more: Any) -> Member:
        member = settling.person(age, community, chance.choice(homes), days=900, **more)
        member.save()
        return member

    reviewer = person("elder")
    since = (now - timedelta(days=800)).date()
    Role.objects.create(
        member=reviewer, kind=Role.Kind.REVIEWER, community=community, starts_on=since
    )

    def shop(sort: str, name: str, **offer: Any) -> tuple[Offer, Member]:
        organisation = Organisation.objects.create(community=community, name=short + name)
        staff = person()
        Role.objects.create(
            member=staff,
            kind=Role.Kind.PARTNER_STAFF,
            organisation=organisation,
            starts_on=since,
        )
        partner = Partner.objects.create(organisation=organisation, community=community, kind=sort)
        return Offer.objects.create(partner=partner, **offer), staff

    return Staff(
        reviewer=reviewer,
        elders=[
            person("old", **({"phone": None} if number % 3 == 2 else {}))
            for number in range(_ELDERS_EACH)
        ],
        kitchen=shop(
            "kitchen", "公益厨坊 Public kitchen", kind="meal", title="长者午餐 Elders' lunch",
            description="两菜一汤 Two dishes and a soup", price=50, daily_seats=40,
            weekdays="123456", **_LUNCH,
        ),
        merchants=[
            shop("merchant", "理发店 Barber", kind="service", title="理发 Haircut", price=100),
            shop(
                "merchant", "粮油店 Grocer", kind="goods", title="大米五公斤 Rice, 5 kg", price=300
            ),
        ],
    )  # fmt: skip


def make_cast(
    street: Community,
    community: Community,
    people: People,
    *,
    now: datetime,
    chance: random.Random,
) -> Cast:
    """Make the people with duties over the whole street, all at home in one community.

    They have the same phones as in the town, so that the same sign-in links find them.
    """
    settling = Settling(chance, now, phones_from=CAST_PHONES)
    homes = list(Building.objects.filter(community=community, dwellings__gt=0).order_by("pk")[:40])
    staff = people.staff[community.pk]
    number = iter(range(1, 12))

    def person(name: str, kind: str = "", scope: Community = street, **more: Any) -> Member:
        member = settling.person(
            "adult", community, chance.choice(homes), days=700, name=name,
            phone=phone(CAST_PHONES + next(number)), **more,
        )  # fmt: skip
        member.save()
        if kind:
            since = (now - timedelta(days=600)).date()
            Role.objects.create(member=member, kind=kind, community=scope, starts_on=since)
        return member

    def known(member: Member, own_phone: bool = True) -> Member:
        at = next(number)
        member.phone = phone(CAST_PHONES + at) if own_phone else None
        member.save(update_fields=["phone"])
        return member

    cast = Cast(
        captain=person("王建国", Role.Kind.CAPTAIN, community),
        administrator=person("李文静", Role.Kind.ADMINISTRATOR, is_staff=True, is_superuser=True),
        reviewer=person("张淑珍", Role.Kind.REVIEWER),
        bookkeeper=person("陈慧敏", Role.Kind.BOOKKEEPER),
        dispatcher=person("刘振宇", Role.Kind.DISPATCHER),
        auditor=person("赵国栋", Role.Kind.AUDITOR),
        elder=known(staff.elders[0]),
        elder_without_phone=known(staff.elders[2], own_phone=False),
        neighbour=person("吴海燕"),
        kitchen=known(staff.kitchen[1]),
        merchant=known(staff.merchants[0][1]),
    )
    Proxy.objects.create(
        member=cast.elder_without_phone,
        proxy=cast.neighbour,
        starts_on=(now - timedelta(days=30)).date(),
    )
    return cast
