"""Clients signed in as somebody, and the clock at NOW."""

from collections.abc import Callable, Iterator

import pytest
import time_machine
from rest_framework.test import APIClient

from grids.people.models import Member
from tests.factories import NOW


@pytest.fixture
def api() -> Callable[[Member], APIClient]:
    """Return a function that signs a member in."""

    def signed_in(member: Member) -> APIClient:
        client = APIClient()
        client.force_authenticate(member)
        return client

    return signed_in


@pytest.fixture
def at_now() -> Iterator[time_machine.Traveller]:
    """Stop the clock at NOW."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller
