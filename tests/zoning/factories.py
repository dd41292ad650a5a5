"""A village of regular rows whose three cells stand side by side."""

from dataclasses import dataclass, field

from common.unit_of_work import unit_of_work
from grids.people.models import Member
from grids.places.models import Building, Cell, CellPlan, Community
from grids.places.plans import publish_plan, start_draft
from grids.zoning.editing import buildings_of
from grids.zoning.problem import Band
from grids.zoning.redraw import redraw
from grids.zoning.services import save_drawing
from tests.factories import NOW, BuildingFactory, CommunityFactory, MemberFactory, grant

COLUMNS, ROWS = 12, 4


@dataclass
class Village:
    """`house[column, row]` is a building of 10 households, about 33 m from the next.

    Columns 0–3 are cell G001, 4–7 G002, 8–11 G003: 160 households each, the band is 100–200.
    """

    community: Community
    cells: list[Cell] = field(default_factory=list)
    house: dict[tuple[int, int], Building] = field(default_factory=dict)
    people: dict[str, Member] = field(default_factory=dict)

    def ids(self, *places: tuple[int, int]) -> list[int]:
        """Return the ids of the houses at these columns and rows."""
        return [self.house[place].pk for place in places]

    def column(self, number: int) -> list[int]:
        """Return the ids of a column's houses."""
        return self.ids(*((number, row) for row in range(ROWS)))


def a_village(code: str = "v") -> Village:
    """Build the village with its published plan, an administrator, a captain of G001, a member."""
    district = CommunityFactory(level="district")
    community = CommunityFactory(
        code=code, name="河东社区", parent=district, band_min=100, band_max=200
    )
    village = Village(community)
    for column in range(COLUMNS):
        for row in range(ROWS):
            village.house[column, row] = BuildingFactory(
                community=community,
                source_id=f"{column}-{row}",
                address=f"文化路{column}-{row}号",
                lat=37.15 + row * 0.0003,
                lon=122.41 + column * 0.000375,
                dwellings=10,
            )
    previous = {
        house.pk: f"G{1 + column // 4:03d}" for (column, _row), house in village.house.items()
    }
    redrawing = redraw(previous, buildings_of(community), band=Band(min=100, max=200), repair=False)
    with unit_of_work(now=NOW):
        plan = save_drawing(community=community, drawing=redrawing.plan, seed=0, now=NOW)
        publish_plan(plan=plan, now=NOW)
    for house in village.house.values():
        house.refresh_from_db()
    # Numbered by the drawing, since nothing was published yet: put them from west to east.
    village.cells = [village.house[column, 0].cell for column in (0, 4, 8)]  # type: ignore[misc]
    for name in ("administrator", "captain", "member"):
        village.people[name] = MemberFactory(
            community=community, home=village.house[0, 0], language="en"
        )
    grant(village.people["administrator"], "administrator", community=community)
    grant(village.people["captain"], "captain", cell=village.cells[0])
    return village


def a_draft(village: Village) -> CellPlan:
    """Start a draft as the village's administrator."""
    actor = village.people["administrator"]
    with unit_of_work(actor, now=NOW):
        return start_draft(community=village.community, actor=actor, now=NOW)
