"""What the tests of people share."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import time_machine

from grids.people import sms
from tests.factories import NOW


@pytest.fixture
def outbox(settings: Any) -> Iterator[list[sms.Message]]:
    """Send messages into a list."""
    settings.SMS_BACKEND = "memory"
    sms.outbox.clear()
    yield sms.outbox
    sms.outbox.clear()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stand still at NOW; `clock.shift(seconds)` moves on."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def now() -> datetime:
    """The instant that `clock` starts from."""
    return NOW
