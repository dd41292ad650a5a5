"""Draw a community's cells from its stored buildings and streets."""

from datetime import datetime
from itertools import count
from typing import Any

from common.errors import BadInput
from grids.places.models import Building, Cell, CellPlan, Community, PlanStep
from grids.places.plans import DrawnCell, NothingPublished, NothingToDraw, save_plan
from grids.zoning import problem
from grids.zoning.draw import draw_cells
from grids.zoning.editing import band_of, buildings_of, streets_of
from grids.zoning.identity import match
from grids.zoning.plan import CellKey
from grids.zoning.plan import CellPlan as Drawing
from grids.zoning.problem import BuildingId
from grids.zoning.redraw import Redrawing, redraw


def draw_community(*, community: Community, band_min: int, band_max: int, seed: int) -> Drawing:
    """Draw cells inside the band of households; writes nothing.

    Raises NothingToDraw without buildings and BadInput for a band that makes no sense.
    """
    try:
        band = problem.Band(min=band_min, max=band_max)
    except problem.ProblemError as error:
        raise BadInput({"band": [str(error)]}) from error
    buildings = buildings_of(community)
    if not buildings:
        raise NothingToDraw
    return draw_cells(buildings, streets_of(community), band=band, seed=seed)


def redraw_community(*, community: Community, seed: int) -> Redrawing:
    """Draw the published cells again with least change for the buildings of today; writes nothing.

    Raises NothingPublished, NothingToDraw.
    """
    previous = published_cells(community)
    if not previous:
        raise NothingPublished
    buildings = buildings_of(community)
    if not buildings:
        raise NothingToDraw
    return redraw(previous, buildings, streets_of(community), band=band_of(community), seed=seed)


def published_cells(community: Community) -> dict[BuildingId, CellKey]:
    """Return the code of each building's cell in the published plan."""
    placed = Building.objects.filter(
        community=community,
        cell__shapes__plan__state=CellPlan.State.PUBLISHED,
        cell__shapes__plan__community=community,
    )
    return dict(placed.values_list("pk", "cell__code"))


def save_drawing(
    *,
    community: Community,
    drawing: Drawing,
    seed: int,
    now: datetime,
    actor: Any = None,
    kind: str = PlanStep.Kind.DRAWN,
    why: str = "",
) -> CellPlan:
    """Keep a drawing as the draft, in the open unit of work.

    A cell that continues a published one keeps its identity; new ones are G001, G002 …
    """
    codes = codes_of(community=community, drawing=drawing)
    cells = [
        DrawnCell(
            code=codes[cell.code],
            households=cell.households,
            buildings=[int(str(building)) for building in cell.buildings],
            geometry=cell.polygon,
            measures={
                "contiguous": cell.contiguous,
                "polsby_popper": round(cell.polsby_popper, 4),
                "in_band": cell.in_band,
                "reason": cell.reason.value if cell.reason else None,
                "detail": cell.detail,
                "warnings": list(cell.warnings),
            },
        )
        for cell in drawing.cells
    ]
    return save_plan(
        community=community,
        cells=cells,
        measures=drawing.measures.as_dict(),
        seed=seed,
        now=now,
        actor=actor,
        kind=kind,
        why=why,
    )


def codes_of(*, community: Community, drawing: Drawing) -> dict[int, str]:
    """Return the code under which each drawn cell (by its number) is kept.

    A redrawn cell names the one it continues; otherwise it continues the published cell with
    which it shares most households. The others take free numbers: a code that a published cell
    ever had is not given again.
    """
    previous = published_cells(community)
    if any(cell.key is not None for cell in drawing.cells):
        known = set(previous.values())
        found = [cell.key if cell.key in known else None for cell in drawing.cells]
    else:
        dwellings: dict[BuildingId, int] = dict(
            Building.objects.filter(community=community).values_list("pk", "dwellings")
        )
        found = match(previous, [cell.buildings for cell in drawing.cells], dwellings)
    only_drafts = Cell.objects.filter(
        community=community, kind=Cell.Kind.GEOGRAPHIC, shapes__isnull=False
    ).exclude(shapes__plan__state__in=[CellPlan.State.PUBLISHED, CellPlan.State.PAST])
    used = set(Cell.objects.filter(community=community).values_list("code", flat=True))
    used -= set(only_drafts.values_list("code", flat=True))
    free = (code for code in map(code_of, count(1)) if code not in used)
    return {
        cell.code: str(key) if key is not None else next(free)
        for cell, key in zip(drawing.cells, found, strict=True)
    }


def code_of(number: int) -> str:
    """Write a cell's code: 7 → "G007"."""
    return f"G{number:03d}"


def report(*, community: Community, drawing: Drawing) -> dict[str, Any]:
    """Describe a drawing as `draw_cells --json` writes it; buildings by source id."""
    source = dict(Building.objects.filter(community=community).values_list("pk", "source_id"))
    codes = codes_of(community=community, drawing=drawing)
    return {
        "community": community.code,
        "cells": [
            {
                "code": codes[cell.code],
                "households": cell.households,
                "buildings": [source[int(str(building))] for building in cell.buildings],
                "contiguous": cell.contiguous,
                "polsby_popper": round(cell.polsby_popper, 4),
                "in_band": cell.in_band,
                "reason": cell.detail,
            }
            for cell in drawing.cells
        ],
        "measures": drawing.measures.as_dict(),
    }
