"""Many at once, in real threads: one check-in, one approval, one payment."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.db import connection
from rest_framework.test import APIClient

from grids.people.models import Member
from patrols.checkins.models import CheckIn
from tests.checkins.factories import END, INSIDE, START, a_patrol
from tests.earning.factories import logged
from tests.factories import Town, a_community
from timebank.earning.models import HourLog, RuleLine
from timebank.ledger.models import Account, Posting

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 10


@pytest.fixture
def town(transactional_db: None) -> Town:
    """A community that approves accepted evidence at once."""
    built = a_community()
    built.community.auto_approve_hours = True
    built.community.save()
    return built


@pytest.fixture(autouse=True)
def tonight() -> Iterator[None]:
    """Stand still at the end of the patrol."""
    with time_machine.travel(END, tick=False):
        yield


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads of their own and return their answers."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, calls))


def call(member: Member, path: str, body: Any = None, key: str | None = None) -> Any:
    """Return (status, code, id) of one POST by this member."""
    api = APIClient()
    api.force_authenticate(Member.objects.get(pk=member.pk))
    answer = api.post(
        f"/api/v1/{path}", body, format="json", headers={"Idempotency-Key": key} if key else None
    )
    data = answer.json()
    return answer.status_code, data.get("code"), data.get("id")


def test_the_same_key_twenty_times_is_one_check_in(town: Town) -> None:
    seat = a_patrol(town)
    body = {"seat": seat.pk, "kind": "in", "occurred_at": START.isoformat(), **INSIDE}
    answers = at_once([lambda: call(town.volunteers[0], "checkins", body, "same")] * 20)
    assert len(set(answers)) == 1
    assert answers[0][0] == 201
    assert CheckIn.objects.count() == 1


def test_many_keys_are_one_check_out_paid_once(town: Town) -> None:
    seat = a_patrol(town)
    who = town.volunteers[0]
    body = {"seat": seat.pk, "kind": "in", "occurred_at": START.isoformat(), **INSIDE}
    assert call(who, "checkins", body, "in")[0] == 201
    body = {**body, "kind": "out", "occurred_at": END.isoformat()}
    answers = at_once(
        [lambda n=n: call(who, "checkins", body, f"k{n}") for n in range(THREADS)]  # type: ignore[misc]
    )
    assert sorted(status for status, _, _ in answers) == [201] + [409] * (THREADS - 1)
    assert {code for status, code, _ in answers if status == 409} == {"already_checked_in"}
    assert HourLog.objects.get().credits_earned == 75
    assert Account.objects.get(member=who).balance == 75


def test_two_reviewers_at_once_pay_once(town: Town) -> None:
    hour = logged(town)
    path = f"hours/{hour.pk}/approve"
    reject = f"hours/{hour.pk}/reject"
    answers = at_once(
        [
            lambda: call(town.reviewer, path),
            lambda: call(town.captain, path),
            lambda: call(town.captain, reject, {"reason": "没有来"}),
        ]
        * 3
    )
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 8
    assert {code for status, code, _ in answers if status == 409} == {"already_decided"}
    hour.refresh_from_db()
    paid = 75 if hour.state == "approved" else 0
    assert Posting.objects.count() == (1 if paid else 0)
    assert sum(Account.objects.filter(member=hour.member).values_list("balance", flat=True)) == paid


def test_the_cap_of_a_day_holds_when_two_logs_are_approved_at_once(town: Town) -> None:
    RuleLine.objects.update(most_minutes_a_day=120)
    logs = [logged(town) for _ in range(4)]
    deciders = [town.reviewer, town.captain]
    at_once(
        [
            lambda n=n: call(deciders[n % 2], f"hours/{logs[n].pk}/approve")  # type: ignore[misc]
            for n in range(4)
        ]
    )
    assert sum(HourLog.objects.values_list("counted_minutes", flat=True)) == 120
    assert Account.objects.get(member=town.volunteers[0]).balance == 100


def test_bulk_approvals_of_the_same_logs_do_not_lock_each_other_out(town: Town) -> None:
    from common.unit_of_work import unit_of_work
    from timebank.earning.services import approve_selected

    logs = [logged(town, volunteer) for volunteer in town.volunteers]
    ids = [hour.pk for hour in logs]

    def approve(who: Member, order: list[int]) -> int:
        actor = Member.objects.get(pk=who.pk)
        with unit_of_work(actor) as work:
            return len(approve_selected(hour_log_ids=order, actor=actor, now=work.now).approved)

    approved = at_once(
        [
            lambda: approve(town.reviewer, ids),
            lambda: approve(town.captain, ids[::-1]),
        ]
        * 3
    )
    assert sum(approved) == len(ids)
    assert Posting.objects.count() == len(ids)
