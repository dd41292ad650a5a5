"""`draw_cells`: proposes or publishes, reports its measures, refuses what makes no sense."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from grids.places import index
from grids.places.models import Building, Cell, CellPlan, Community
from tests.factories import BuildingFactory, CommunityFactory


@pytest.fixture
def village(db: None) -> Community:
    """A hundred houses of ten households on a regular grid about 30 m apart."""
    community = CommunityFactory(code="v")
    for row in range(10):
        for column in range(10):
            BuildingFactory(
                community=community,
                source_id=f"{row}-{column}",
                lat=47.1 + row * 0.0003,
                lon=9.5 + column * 0.0004,
                dwellings=10,
            )
    return community


def test_a_draft_is_reported_and_not_published(village: Community, tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    call_command("draw_cells", community="v", json=file)
    report: Any = json.loads(file.read_text(encoding="utf-8"))
    assert sum(cell["households"] for cell in report["cells"]) == 1000
    assert all(300 <= cell["households"] <= 500 for cell in report["cells"])
    assert all(cell["contiguous"] for cell in report["cells"])
    drawn = [source for cell in report["cells"] for source in cell["buildings"]]
    assert sorted(drawn) == sorted(Building.objects.values_list("source_id", flat=True))
    assert report["measures"]["share_in_band"] == 1
    assert CellPlan.objects.get().state == "draft"
    assert not Building.objects.exclude(cell=None).exists()


def test_publishing_puts_every_building_in_a_cell(
    village: Community, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        call_command("draw_cells", community="v", publish=True, seed=3)
    assert CellPlan.objects.get().state == "published"
    assert not Building.objects.filter(cell=None).exists()
    house = Building.objects.get(source_id="4-4")
    assert index.locate(lat=house.lat, lon=house.lon) == house.cell_id


def test_the_same_seed_draws_the_same_map(village: Community, tmp_path: Path) -> None:
    for name in ("a", "b"):
        call_command("draw_cells", community="v", seed=5, json=tmp_path / name)
    first, second = (json.loads((tmp_path / name).read_text())["cells"] for name in ("a", "b"))
    assert first == second


def test_redrawing_keeps_the_identity_of_cells(village: Community) -> None:
    for seed in (1, 2):
        call_command("draw_cells", community="v", publish=True, seed=seed)
    assert Cell.objects.filter(community=village, retired_at=None).count() == Cell.objects.count()
    assert CellPlan.objects.filter(state="published").count() == 1


def test_a_band_upside_down_and_an_empty_community_are_refused(village: Community) -> None:
    with pytest.raises(CommandError, match="need 0 < min <= max"):
        call_command("draw_cells", community="v", min=500, max=300)
    CommunityFactory(code="empty")
    with pytest.raises(CommandError, match="no buildings yet"):
        call_command("draw_cells", community="empty")
    with pytest.raises(CommandError, match="no community"):
        call_command("draw_cells", community="nowhere")
    assert not CellPlan.objects.exists()


def test_a_town_without_households_is_not_drawn(village: Community) -> None:
    Building.objects.update(dwellings=0)
    with pytest.raises(CommandError, match='"dwellings"'):
        call_command("draw_cells", community="v", publish=True)
    assert not CellPlan.objects.exists()
