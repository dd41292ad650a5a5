"""Build the demo city at Rongcheng's scale: 26 communities, 157 cells, a year of history in bulk.

The names of the district, the street and its 26 communities, and their official codes, are real
(Yatou street, Rongcheng; see NOTICE). Everything else is invented from one seed: no free building
footprints of the town exist, so estates, buildings and streets are drawn by city_map. Cells come
from the product's own drawing; history goes through no service, but through every constraint and
trigger, and `manage.py verify_ledger` must find nothing.
"""

import csv
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection

from common import clock
from common.unit_of_work import unit_of_work
from config.demo.city_duty import Beat
from config.demo.city_map import cells_by_community, lay_out, spread
from config.demo.city_people import People, make_cast, settle
from config.demo.city_spending import Shop
from config.demo.city_year import Plot, Year
from config.demo.names import DATA
from config.demo.town import DemoTown, Say
from grids.places.models import Building, Cell, Community
from grids.places.plans import publish_plan
from grids.places.services import create_community, import_buildings, import_streets
from grids.zoning.services import draw_community, save_drawing
from patrols.rosters.models import RosterRun
from patrols.rosters.services import apply_plan, new_run
from patrols.rosters.solving import solve_now
from patrols.shifts.models import Activity
from patrols.shifts.services import materialise_shifts
from timebank.earning.models import RuleLine, RuleVersion
from timebank.spending.jobs import make_servings

ROOT = "371082"
STREET = "371082007"
ZONE = "Asia/Shanghai"
SEED = 371082
DAYS_AHEAD = 7


class WrongCity(RuntimeError):
    """The city did not come out as asked for."""


@dataclass
class DemoCity(DemoTown):
    """What was built, with how many rows there are of what; `root` is the street."""

    counts: Counter[str] = field(default_factory=Counter)
    roster: RosterRun | None = None


def exists() -> bool:
    """Say whether this database holds the demo city already."""
    return Community.objects.filter(code=STREET).exists()


def build(
    *,
    now: datetime,
    say: Say,
    communities: int = 26,
    cells: int = 157,
    households: int = 65_000,
    volunteers: int = 5_000,
    days: int = 365,
    roster_seconds: float = 30,
) -> DemoCity:
    """Build the city; its history ends yesterday, its coming shifts start today.

    `say(label, done, total)` hears of the progress. Raises WrongCity where the cells drawn are not
    as many as asked for.
    `roster_seconds` bounds the search for the coming week's roster.
    """
    chance = random.Random(SEED)
    today = now.astimezone(ZoneInfo(ZONE)).date()
    city = _places(now, communities, cells, households, chance)
    _draw(city, cells, now, say)
    with unit_of_work(now=now) as work:
        people = settle(
            city.communities,
            city.cells,
            volunteers=volunteers,
            days=days,
            now=now,
            chance=chance,
            say=say,
        )
        city.cast = make_cast(city.root, city.communities[0], people, now=now, chance=chance)
        activities = _activities(city, today - timedelta(days=days), today)
        rules = _rules(city, today - timedelta(days=days + 365), now)
        work.audit("demo.built", city.root, after={"volunteers": volunteers, "days": days})
    plots = _plots(city, people, activities, rules)
    for done, plot in enumerate(plots):
        say("A year of patrols and credits", done, len(plots))
        with unit_of_work(now=now):
            year = Year(
                plot,
                first=today - timedelta(days=days),
                days=days,
                now=now,
                seed=f"{SEED}/{plot.community.code}",
            )
            year.run()
            city.counts += year.write()
    say("A year of patrols and credits", len(plots), len(plots))
    _come(city, list(activities.values()), today, now, say)
    make_servings(now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # so that the planner knows what came in bulk
    with clock.fixed_at(now):
        city.roster = _plan_the_week(city, today, roster_seconds, say)
    city.counts.update(
        communities=len(city.communities),
        cells=len(city.cells),
        households=households,
        volunteers=volunteers,
    )
    return city


def _places(
    now: datetime, communities: int, cells: int, households: int, chance: random.Random
) -> DemoCity:
    """Write the tree, and each community's buildings and streets."""
    with (DATA / "yatou_communities.csv").open(encoding="utf-8") as file:
        names = [(row["code"], row["name"]) for row in csv.DictReader(file)][:communities]
    shares = spread(households, cells_by_community(communities, cells, chance))
    with unit_of_work(now=now):
        root = create_community(code=ROOT, name="荣成市", level="district", zone=ZONE, now=now)
        street = create_community(
            code=STREET, name="崖头街道", parent=root, level="street", zone=ZONE, now=now
        )
        city = DemoCity(root=street)
        for number, ((code, name), share) in enumerate(zip(names, shares, strict=True)):
            community = create_community(
                code=code,
                name=name.removesuffix("居委会"),
                parent=street,
                zone=ZONE,
                now=now,
                auto_approve_hours=number % 3 != 0,
            )
            ground = lay_out(community.name, number, share, chance)
            import_buildings(community=community, rows=ground.buildings, actor=None)
            import_streets(community=community, rows=ground.streets, actor=None)
            city.communities.append(community)
    return city


def _draw(city: DemoCity, cells: int, now: datetime, say: Say) -> None:
    for done, community in enumerate(city.communities):
        say("Drawing cells", done, len(city.communities))
        drawing = draw_community(community=community, band_min=300, band_max=500, seed=SEED)
        with unit_of_work(now=now):
            plan = save_drawing(community=community, drawing=drawing, seed=SEED, now=now)
            publish_plan(plan=plan, now=now)
    say("Drawing cells", len(city.communities), len(city.communities))
    city.cells = list(
        Cell.objects.filter(community__in=city.communities).order_by("community", "code")
    )
    if len(city.cells) != cells:
        raise WrongCity(f"{len(city.cells)} cells were drawn, not {cells}")


def _activities(city: DemoCity, since: date, today: date) -> dict[int, Activity]:
    """Make a patrol of three each night in every cell; by cell id."""
    doors: dict[int, Building] = {}
    for building in Building.objects.filter(cell__in=city.cells).order_by("-dwellings", "pk"):
        doors.setdefault(building.cell_id or 0, building)
    made = [
        Activity(
            community_id=cell.community_id,
            cell=cell,
            kind="patrol",
            category="patrol",
            title="夜间巡逻 Night patrol",
            seats_total=3,
            wants_experienced=True,
            meeting_name=str(doors[cell.pk]),
            meeting_lat=doors[cell.pk].lat,
            meeting_lon=doors[cell.pk].lon,
            rrule="FREQ=DAILY",
            starts_on=since,
            starts_local=time(19, 30),
            duration_minutes=90,
            materialised_until=today - timedelta(days=1),
        )
        for cell in city.cells
    ]
    return {activity.cell_id or 0: activity for activity in Activity.objects.bulk_create(made)}


def _rules(city: DemoCity, since: date, now: datetime) -> dict[int, RuleLine]:
    """Write Rongcheng's rule, two hours earn one credit, for each community; by its id."""
    lines = {}
    for community in city.communities:
        version = RuleVersion.objects.create(
            community=community,
            number=1,
            starts_on=since,
            note="荣成规则：两小时记一币 Two hours earn one credit",
            created_at=now,
        )
        lines[community.pk] = RuleLine.objects.create(version=version, per_hour=50)
    return lines


def _plots(
    city: DemoCity, people: People, activities: dict[int, Activity], rules: dict[int, RuleLine]
) -> list[Plot]:
    plots = []
    for community in city.communities:
        staff = people.staff[community.pk]
        plots.append(
            Plot(
                community=community,
                beats=[
                    Beat(activities[cell.pk], people.volunteers[cell.pk])
                    for cell in city.cells
                    if cell.community_id == community.pk
                ],
                elders=[elder.pk for elder in staff.elders],
                reviewer=staff.reviewer.pk,
                rule=rules[community.pk],
                kitchen=Shop(staff.kitchen[0], staff.kitchen[1].pk),
                merchants=[Shop(offer, member.pk) for offer, member in staff.merchants],
            )
        )
    return plots


def _come(city: DemoCity, activities: list[Activity], today: date, now: datetime, say: Say) -> None:
    """Make the coming week's shifts as the nightly job would."""
    until = today + timedelta(days=DAYS_AHEAD)
    places = {community.pk: community for community in city.communities}
    for activity in activities:
        activity.community = places[activity.community_id]
    for done, community in enumerate(city.communities):
        say("Making the coming week's shifts", done, len(city.communities))
        with unit_of_work(now=now):
            for activity in activities:
                if activity.community_id == community.pk:
                    made = materialise_shifts(activity=activity, until=until, now=now)
                    city.counts["coming"] += len(made)
    say("Making the coming week's shifts", len(city.communities), len(city.communities))


def _plan_the_week(city: DemoCity, today: date, seconds: float, say: Say) -> RosterRun:
    """Plan and apply the coming week over the whole street, as the system."""
    say("Planning the coming week", 0, 1)
    with unit_of_work() as work:
        run = new_run(
            community=city.root,
            from_on=today,
            days=7,
            seconds=seconds,
            seed=SEED,
            actor=None,
            now=work.now,
        )
    solve_now(run.pk)
    with unit_of_work() as work:
        run = apply_plan(run_id=run.pk, actor=None, now=work.now)
    say("Planning the coming week", 1, 1)
    return run
