"""Estates: which buildings a property firm looks after, drawn over the geographic cells."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotAllowed, NotFound
from common.locks import lock
from common.unit_of_work import current
from grids.people import rules
from grids.people.models import Estate, EstateBuilding, Member, Organisation
from grids.people.services.groups import clean_cell_name, end_roles_over, new_cell, tell_of
from grids.places.models import Building, Cell, Community


class InAnotherEstate(DomainError):
    """A building can't be in two estates."""

    code = "in_another_estate"
    status = HTTPStatus.CONFLICT
    detail = _("One of these buildings belongs to another estate already.")


def create_estate(
    *,
    community: Community,
    firm: Organisation,
    name: str,
    buildings: Sequence[Building],
    actor: Member | None,
    now: datetime,
) -> Estate:
    """Note that `firm` looks after `buildings` of `community`, by an administrator.

    Raises NotAllowed, BadInput, NotFound (a building elsewhere), InAnotherEstate.
    """
    work = current()
    if not rules.administers(actor, community=community):
        raise NotAllowed
    name = clean_cell_name(name)
    cell = new_cell(community=community, kind=Cell.Kind.ESTATE, name=name)
    estate = Estate.objects.create(cell=cell, firm=firm)
    _fill(estate, buildings)
    work.audit("estate.created", cell, after={"firm": firm.pk, "buildings": len(buildings)})
    tell_of(cell, "opened")
    return estate


def change_estate(
    *, estate: Estate, buildings: Sequence[Building], actor: Member | None, now: datetime
) -> Estate:
    """Replace the buildings of an estate, by an administrator; raises as `create_estate`."""
    work = current()
    cell = _locked(estate, actor)
    before = estate.buildings.count()
    estate.buildings.all().delete()
    _fill(estate, buildings)
    work.audit(
        "estate.changed", cell, before={"buildings": before}, after={"buildings": len(buildings)}
    )
    tell_of(cell, "changed")
    return estate


def retire_estate(*, estate: Estate, actor: Member | None, now: datetime) -> None:
    """End an estate: its buildings are free for another, its name stays in the history."""
    work = current()
    cell = _locked(estate, actor)
    estate.buildings.all().delete()
    end_roles_over(cell)
    cell.retired_at = now
    cell.save(update_fields=["retired_at"])
    work.audit("estate.retired", cell)
    tell_of(cell, "closed")


def _locked(estate: Estate, actor: Member | None) -> Cell:
    cell = estate.cell
    if not rules.administers(actor, community=cell.community):
        raise NotAllowed
    found = lock(Cell.objects.filter(retired_at=None), [cell.pk]).get(cell.pk)
    if found is None:
        raise NotFound
    return found


def _fill(estate: Estate, buildings: Sequence[Building]) -> None:
    path = estate.cell.community.path
    ids = {building.pk for building in buildings}
    inside = Building.objects.filter(pk__in=ids, community__path__startswith=path)
    if not ids or inside.count() != len(ids):
        raise NotFound
    if EstateBuilding.objects.filter(building__in=ids).exists():
        raise InAnotherEstate
    EstateBuilding.objects.bulk_create(
        EstateBuilding(estate=estate, building_id=pk) for pk in sorted(ids)
    )
