"""Edit a draft on the map: move buildings, redraw the border of two cells, undo and redo.

Each edit is one row of the draft's stack (`PlanEdit`). The weaving of a town takes about a second
for 4,000 buildings, so each process keeps the grounds it used last: call `ground_of` before the
unit of work is opened, or everybody else waits for it.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Count, Max, Sum
from django.db.models.functions import Length
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shapely import from_wkb, to_wkb

from common.errors import BadInput, DomainError, NotAllowed
from common.unit_of_work import current
from grids.places import rules
from grids.places.models import (
    Building,
    Cell,
    CellBuilding,
    CellPlan,
    CellShape,
    Community,
    PlanEdit,
    Street,
)
from grids.places.plans import BATCH, State, count_households, locked_plan, tell_edited
from grids.zoning import borders, problem
from grids.zoning.check import polsby_popper
from grids.zoning.edit import MoveCheck, check_move

Moves = list[tuple[int, int | None, int | None]]
Kind = PlanEdit.Kind
Done = PlanEdit.State
_KEPT = 4


class CutsApart(DomainError):
    """The change would cut buildings off from their cell: `cells` names them, cell by cell."""

    code = "cell_cut_apart"
    detail = gettext_lazy("A cell would fall apart.")


class EmptiesCell(DomainError):
    """A cell would have no building left."""

    code = "cell_left_empty"
    detail = gettext_lazy("A cell would have no building left.")


class NothingMoves(DomainError):
    """All these buildings are in that cell already."""

    code = "nothing_moves"
    detail = gettext_lazy("No building changes its cell this way.")


class NothingToUndo(DomainError):
    """The stack is at its end."""

    code = "nothing_to_undo"
    detail = gettext_lazy("There is no change to undo or to do again.")


@dataclass(frozen=True)
class Edited:
    """What an edit did: the draft as it is now, the cells it touched and what to look at."""

    plan: CellPlan
    edit: PlanEdit
    cells: list[int]
    warnings: list[dict[str, Any]]


_grounds: OrderedDict[int, tuple[Any, borders.Ground]] = OrderedDict()
_lock = threading.Lock()


def ground_of(community: Community) -> borders.Ground:
    """Return the woven ground of a community's buildings and streets as they are now."""
    token = (
        *Building.objects.filter(community=community)
        .aggregate(
            n=Count("id"),
            last=Max("id"),
            lat=Sum("lat"),
            lon=Sum("lon"),
            dwellings=Sum("dwellings"),
            bytes=Sum(Length("geometry")),
        )
        .values(),
        *Street.objects.filter(community=community)
        .aggregate(n=Count("id"), last=Max("id"), metres=Sum("length_m"))
        .values(),
        community.band_min,
        community.band_max,
    )
    with _lock:
        kept = _grounds.get(community.pk)
        if kept is not None and kept[0] == token:
            _grounds.move_to_end(community.pk)
            return kept[1]
        land = borders.ground(
            buildings_of(community), streets_of(community), band=band_of(community)
        )
        _grounds[community.pk] = (token, land)
        while len(_grounds) > _KEPT:
            _grounds.popitem(last=False)
        return land


def buildings_of(community: Community) -> list[problem.Building]:
    """Read a community's buildings as the pure code wants them."""
    return [
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


def streets_of(community: Community) -> list[problem.Street]:
    """Read a community's streets as the pure code wants them."""
    return [
        problem.Street(
            id=row.pk,
            line=cast("problem.Line", from_wkb(bytes(row.geometry))),
            highway=row.highway or None,
            name=row.name or None,
        )
        for row in Street.objects.filter(community=community).order_by("pk")
    ]


def band_of(community: Community) -> problem.Band:
    """Return the community's band of households."""
    return problem.Band(min=max(1, community.band_min), max=max(1, community.band_max))


def move_buildings(
    *,
    plan_id: int,
    version: int,
    buildings: Sequence[int],
    cell_id: int,
    actor: Any,
    now: datetime,
    why: str = "",
) -> Edited:
    """Move buildings of a draft to a cell; those at the very same point come along.

    Raises PlanChanged where `version` is not the draft's, WrongPlanState, NotAllowed, BadInput,
    NothingMoves, CutsApart, EmptiesCell.
    """
    plan = locked_plan(plan_id, version=version, states={State.DRAFT})
    rules.require_may_edit(actor, plan.community)
    land = ground_of(plan.community)
    unknown = [b for b in buildings if b not in land.unit]
    if unknown or not buildings:
        raise BadInput({"buildings": [_("Choose buildings of this community.")]})
    if not CellShape.objects.filter(plan=plan, cell=cell_id).exists():
        raise BadInput({"cell": [_("This cell is not in this plan.")]})
    wanted = {int(str(b)): cell_id for b in borders.whole_units(land, buildings)}
    return _edit(plan, land, Kind.MOVED, wanted, actor=actor, now=now, why=why)


def redraw_border(
    *,
    plan_id: int,
    version: int,
    cells: tuple[int, int],
    line: Sequence[tuple[float, float]],
    actor: Any,
    now: datetime,
    why: str = "",
) -> Edited:
    """Make `line` (lon, lat) the border of two cells of a draft: buildings change side.

    Raises what `move_buildings` raises.
    """
    plan = locked_plan(plan_id, version=version, states={State.DRAFT})
    rules.require_may_edit(actor, plan.community)
    one, other = cells
    shapes = _shapes(plan)
    if one == other or one not in shapes or other not in shapes:
        raise BadInput({"cells": [_("Choose two cells of this plan.")]})
    if len(line) < 2:
        raise BadInput({"line": [_("Draw a line with at least two points.")]})
    land = ground_of(plan.community)
    held = {
        b: cell for b, cell in _members(plan).items() if cell in (one, other) and b in land.unit
    }
    dwellings = dict(zip(land.neighbours.ids, land.neighbours.dwellings, strict=True))
    wanted = borders.sides(land, line, one, other, cast("Any", held), shapes, dwellings)
    moved = {int(str(b)): cell for b, cell in wanted.items() if held[int(str(b))] != cell}
    return _edit(plan, land, Kind.BORDER, moved, actor=actor, now=now, why=why)


def undo_edit(*, plan_id: int, version: int, actor: Any, now: datetime) -> Edited:
    """Take back the last edit that stands; borders are again as they were, to the last corner.

    Raises PlanChanged, WrongPlanState, NotAllowed, NothingToUndo.
    """
    plan = locked_plan(plan_id, version=version, states={State.DRAFT})
    rules.require_may_edit(actor, plan.community)
    edit = plan.edits.filter(state=Done.DONE).order_by("number").last()
    if edit is None:
        raise NothingToUndo
    return _replay(plan, edit, back=True, actor=actor, now=now)


def redo_edit(*, plan_id: int, version: int, actor: Any, now: datetime) -> Edited:
    """Do again the edit that was undone last. Raises what `undo_edit` raises."""
    plan = locked_plan(plan_id, version=version, states={State.DRAFT})
    rules.require_may_edit(actor, plan.community)
    edit = plan.edits.filter(state=Done.UNDONE).order_by("number").first()
    if edit is None:
        raise NothingToUndo
    return _replay(plan, edit, back=False, actor=actor, now=now)


def _edit(
    plan: CellPlan,
    land: borders.Ground,
    kind: str,
    wanted: Mapping[int, int],
    *,
    actor: Any,
    now: datetime,
    why: str,
) -> Edited:
    """Check and write one edit of a locked draft: each building to its wanted cell."""
    held = _members(plan)
    moves: Moves = [(b, held.get(b), to) for b, to in wanted.items() if held.get(b) != to]
    if not moves:
        raise NothingMoves
    _require_led(actor, plan, moves)
    answer = check_move(
        land.neighbours, cast("Any", held), cast("Any", wanted), band=band_of(plan.community)
    )
    _refuse(plan, answer)
    shapes = _shapes(plan)
    touched = [int(str(effect.key)) for effect in answer.cells]
    after = {**held, **wanted}
    of_cell: dict[int, list[int]] = {cell: [] for cell in touched}
    for building, cell in after.items():
        if cell in of_cell and building in land.unit:
            of_cell[cell].append(building)
    drawn = borders.reshape(land, of_cell, shapes)
    border = {
        str(cell): [to_wkb(shapes[cell], hex=True), to_wkb(drawn[cell], hex=True)]
        for cell in touched
    }
    plan.edits.filter(state=Done.UNDONE).update(state=Done.DROPPED)
    last = plan.edits.aggregate(last=Max("number"))["last"] or 0
    edit = PlanEdit.objects.create(
        plan=plan,
        number=last + 1,
        kind=kind,
        moves=moves,
        borders=border,
        households=answer.households_moved,
        at=now,
        by=actor,
        why=why,
    )
    return _write(plan, edit, moves, {cell: drawn[cell] for cell in touched}, what=str(kind))


def _replay(plan: CellPlan, edit: PlanEdit, *, back: bool, actor: Any, now: datetime) -> Edited:
    moves: Moves = [(b, new, old) if back else (b, old, new) for b, old, new in edit.moves]
    _require_led(actor, plan, moves)
    edit.state = Done.UNDONE if back else Done.DONE
    edit.save(update_fields=["state"])
    shapes = {
        int(cell): from_wkb(before if back else after)
        for cell, (before, after) in edit.borders.items()
    }
    return _write(plan, edit, moves, shapes, what="undone" if back else "redone")


def _write(
    plan: CellPlan, edit: PlanEdit, moves: Moves, shapes: Mapping[int, Any], *, what: str
) -> Edited:
    """Put buildings and borders in place, count, and tell the followers."""
    by_target: dict[int | None, list[tuple[int, int | None]]] = {}
    for building, old, new in moves:
        by_target.setdefault(new, []).append((building, old))
    members = CellBuilding.objects.filter(plan=plan)
    for target, rows in by_target.items():
        ids = [building for building, _old in rows]
        if target is None:
            members.filter(building__in=ids).delete()
            continue
        members.filter(building__in=ids).update(cell=target)
        CellBuilding.objects.bulk_create(
            (
                CellBuilding(plan=plan, cell_id=target, building_id=building)
                for building, old in rows
                if old is None
            ),
            batch_size=BATCH,
        )
    cells = sorted(shapes)
    households = count_households(plan, cells)
    band = band_of(plan.community)
    for row in CellShape.objects.filter(plan=plan, cell__in=cells):
        row.geometry = to_wkb(shapes[row.cell_id])
        row.measures = {
            **row.measures,
            "polsby_popper": round(polsby_popper(shapes[row.cell_id]), 4),
            "in_band": band.holds(households.get(row.cell_id, 0)),
        }
        row.save(update_fields=["geometry", "measures"])
    plan.version += 1
    plan.save(update_fields=["version"])
    current().audit(
        f"plan.{what}",
        plan,
        before={"version": plan.version - 1},
        after={"version": plan.version, "edit": edit.number, "moves": moves},
    )
    tell_edited(plan, what, cells)
    return Edited(plan, edit, cells, _warnings(plan, cells, households))


def _require_led(actor: Any, plan: CellPlan, moves: Moves) -> None:
    """Let a cell's captain move buildings only out of that cell, or into it."""
    led = rules.cells_led(actor, plan.community)
    if led is None:
        return
    if any(old not in led and new not in led for _building, old, new in moves):
        raise NotAllowed(_("You can only change the border of your own cell."))


def _refuse(plan: CellPlan, answer: MoveCheck) -> None:
    codes = dict(Cell.objects.filter(community=plan.community).values_list("pk", "code"))
    names: dict[Any, str] = {**codes}
    if answer.emptied:
        code = names[answer.emptied[0]]
        raise EmptiesCell(
            _("%(cell)s would have no building left. Leave at least one in it.") % {"cell": code},
            cells=list(answer.emptied),
        )
    if answer.broken:
        torn = [effect for effect in answer.cells if effect.cut_off]
        raise CutsApart(
            " ".join(_torn(names[effect.key], effect.cut_off) for effect in torn),
            cells=[{"cell": effect.key, "cut_off": list(effect.cut_off)} for effect in torn],
        )


def _torn(code: str, cut: Collection[Any]) -> str:
    """Say which cell would fall apart and what would be cut off from it."""
    rows = Building.objects.filter(pk__in=list(cut)).order_by("-dwellings", "pk")
    households = sum(row.dwellings for row in rows)
    return _(
        "%(cell)s would fall apart: %(names)s would be cut off from it "
        "(buildings: %(count)d, households: %(households)d)."
    ) % {
        "cell": code,
        "names": _(", ").join(str(row) for row in rows[:3]) + ("…" if len(rows) > 3 else ""),
        "count": len(rows),
        "households": households,
    }


def _warnings(
    plan: CellPlan, cells: Sequence[int], households: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Say which of these cells are outside the band now: allowed, but to be seen."""
    band = band_of(plan.community)
    found = []
    for cell in Cell.objects.filter(pk__in=cells).order_by("pk"):
        count = households.get(cell.pk, 0)
        if band.holds(count):
            continue
        words = {"cell": cell.code, "count": count, "min": band.min, "max": band.max}
        text = (
            _("%(cell)s has %(count)d households, more than %(max)d.")
            if count > band.max
            else _("%(cell)s has %(count)d households, fewer than %(min)d.")
        )
        found.append(
            {"code": "out_of_band", "cell": cell.pk, "households": count, "text": text % words}
        )
    return found


def _members(plan: CellPlan) -> dict[int, int]:
    return dict(CellBuilding.objects.filter(plan=plan).values_list("building", "cell"))


def _shapes(plan: CellPlan) -> dict[int, Any]:
    rows = CellShape.objects.filter(plan=plan).values_list("cell", "geometry")
    return {cell: from_wkb(bytes(geometry)) for cell, geometry in rows}
