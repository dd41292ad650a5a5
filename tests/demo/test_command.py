"""The demo never mixes with other data, and says what to do."""

import pytest
from django.core.management import CommandError, call_command

from common.unit_of_work import unit_of_work
from grids.places.models import Community
from tests.factories import CommunityFactory


@pytest.mark.django_db
def test_other_data_is_left_alone() -> None:
    CommunityFactory(code="ours")
    with pytest.raises(CommandError, match="holds other data"):
        call_command("demo")
    assert list(Community.objects.values_list("code", flat=True)) == ["ours"]


@pytest.mark.django_db
def test_an_interrupted_demo_is_said() -> None:
    root = CommunityFactory(code="LI")
    with unit_of_work() as work:
        work.audit("demo.built", root)
    with pytest.raises(CommandError, match="interrupted"):
        call_command("demo")
