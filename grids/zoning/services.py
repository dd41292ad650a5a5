"""Draw a community's cells from its stored buildings and streets."""

from datetime import datetime
from typing import Any, cast

from shapely import from_wkb

from common.errors import BadInput
from grids.places.models import Building, CellPlan, Community, Street
from grids.places.plans import DrawnCell, NothingToDraw, save_plan
from grids.zoning import problem
from grids.zoning.draw import draw_cells
from grids.zoning.plan import CellPlan as Drawing


def draw_community(*, community: Community, band_min: int, band_max: int, seed: int) -> Drawing:
    """Draw cells inside the band of households; writes nothing.

    Raises NothingToDraw without buildings and BadInput for a band that makes no sense.
    """
    try:
        band = problem.Band(min=band_min, max=band_max)
    except problem.ProblemError as error:
        raise BadInput({"band": [str(error)]}) from error
    buildings = [
        problem.Building(
            id=row.pk,
            dwellings=row.dwellings,
            lon=row.lon,
            lat=row.lat,
            footprint=cast("problem.Footprint", from_wkb(bytes(row.geometry))),
            street=row.street_name or None,
        )
        for row in Building.objects.filter(community=community).order_by("pk")
    ]
    if not buildings:
        raise NothingToDraw
    streets = [
        problem.Street(
            id=row.pk,
            line=cast("problem.Line", from_wkb(bytes(row.geometry))),
            highway=row.highway or None,
            name=row.name or None,
        )
        for row in Street.objects.filter(community=community).order_by("pk")
    ]
    return draw_cells(buildings, streets, band=band, seed=seed)


def save_drawing(*, community: Community, drawing: Drawing, seed: int, now: datetime) -> CellPlan:
    """Keep a drawing as a draft plan, in the open unit of work; codes are G001, G002 …"""
    cells = [
        DrawnCell(
            code=code_of(cell.code),
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
        community=community, cells=cells, measures=drawing.measures.as_dict(), seed=seed, now=now
    )


def code_of(number: int) -> str:
    """Write a cell's code: 7 → "G007"."""
    return f"G{number:03d}"


def report(*, community: Community, drawing: Drawing) -> dict[str, Any]:
    """Describe a drawing as `draw_cells --json` writes it; buildings by source id."""
    source = dict(Building.objects.filter(community=community).values_list("pk", "source_id"))
    return {
        "community": community.code,
        "cells": [
            {
                "code": code_of(cell.code),
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
