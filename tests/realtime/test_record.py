"""Recording events costs the same whatever the number of topics."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.unit_of_work import unit_of_work
from realtime import events
from realtime.models import Event, Topic
from tests.realtime.helpers import SomethingHappened

pytestmark = pytest.mark.django_db(transaction=True)


def record(*numbers: int) -> None:
    with unit_of_work():
        for n in numbers:
            topics = [f"member:{n}", "community:1", f"cell:{n}"]
            events.record(SomethingHappened(n=n), topics=topics)


def test_two_statements_for_one_topic_or_many() -> None:
    def writes(*numbers: int) -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            record(*numbers)
        return [row["sql"] for row in seen if row["sql"].startswith("INSERT")]

    assert len(writes(1)) == len(writes(2, 3, 4)) == 2


def test_heads_and_numbers_agree_in_every_topic(monkeypatch: Any) -> None:
    monkeypatch.setattr(events, "AT_ONCE", 2)  # several statements for one commit
    record(1, 2)
    record(2)
    heads = dict(Topic.objects.values_list("name", "head"))
    assert heads == {"member:1": 1, "member:2": 2, "cell:1": 1, "cell:2": 2, "community:1": 3}
    for name, head in heads.items():
        seqs = Event.objects.filter(topic__name=name).order_by("seq").values_list("seq", flat=True)
        assert list(seqs) == list(range(1, head + 1))
