"""My hours, and the reviewers' queue."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from grids.people.models import Member
from tests.earning.factories import logged
from tests.factories import Town, a_community
from timebank.earning.models import HourLog

pytestmark = pytest.mark.django_db
GOOD = {
    kind: {"at": "2026-06-01T07:00:00+00:00", "method": "position", "reasons": []}
    for kind in ("in", "out")
}
WEAK = {"out": {**GOOD["out"], "reasons": ["weak_position", "out_before_in"]}}


@pytest.fixture(autouse=True)
def english(town: Town) -> None:
    """Let everybody read English, so that the sentences can be looked for."""
    Member.objects.update(language="en")


def shown(client: Client, who: Member, path: str) -> str:
    client.force_login(who)
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def state(hour: HourLog) -> str:
    hour.refresh_from_db()
    return str(hour.state)


def test_my_hours_say_what_was_earned_and_why(client: Client, town: Town) -> None:
    done, waiting, refused = logged(town), logged(town, evidence=WEAK), logged(town)
    logged(town, town.volunteers[1], title="别人的班次")
    client.force_login(town.reviewer)
    client.post("/hours/review/", {"action": "approve", "hours": done.pk})
    client.post("/hours/review/", {"action": "reject", "hours": refused.pk, "reason": "没有来"})
    page = shown(client, town.volunteers[0], "/hours/")
    assert "Why 0.75?" in page
    assert "90 min × 0.50 per hour = 0.75" in page
    assert "没有来" in page
    assert "the position was not exact enough" in page
    assert "别人的班次" not in page
    assert state(waiting) == "pending"


def test_without_hours_it_says_what_to_do(client: Client, town: Town) -> None:
    assert "No hours yet" in shown(client, town.volunteers[3], "/hours/")


def test_older_hours_are_a_page_away(client: Client, town: Town) -> None:
    first = logged(town, title="第一班")
    for _ in range(30):
        logged(town)
    page = shown(client, first.member, "/hours/")
    assert "第一班" not in page
    assert f"?before={first.pk + 1}" in page
    assert "第一班" in shown(client, first.member, f"/hours/?before={first.pk + 1}")
    assert client.get("/hours/?before=99999999999999999999999").status_code == 200
    assert client.get("/hours/?before=x%00").status_code == 200


def test_the_queue_shows_evidence_and_never_ones_own(client: Client, town: Town) -> None:
    logged(town, evidence=GOOD)
    logged(town, evidence=WEAK)
    own = logged(town, town.reviewer, title="我自己的")
    page = shown(client, town.reviewer, "/hours/review/")
    assert "In at 15:00, by position" in page
    assert page.count("Look twice") == 2  # no check-in, weak position
    assert "No check-in: counted from the start." in page
    assert "我自己的" not in page
    assert f'value="{own.pk}"' not in page


def test_the_ticked_and_the_clear_are_approved(client: Client, town: Town) -> None:
    clear = [logged(town, evidence=GOOD) for _ in range(2)]
    doubtful, own = logged(town, evidence=WEAK), logged(town, town.reviewer)
    page = shown(client, town.reviewer, "/hours/review/")
    assert "Approve the 2 without doubts" in page
    answer = client.post(
        "/hours/review/",
        {"action": "approve", "hours": [*(h.pk for h in clear), own.pk]},
        headers={"HX-Request": "true"},
    )
    part = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in part
    assert "2 approved and paid." in part
    assert "1 was left alone" in part
    assert [state(h) for h in (*clear, doubtful, own)] == [
        "approved", "approved", "pending", "pending",
    ]  # fmt: skip


def test_a_rejection_tells_the_reason(client: Client, town: Town) -> None:
    hour = logged(town)
    client.force_login(town.reviewer)
    answer = client.post(
        "/hours/review/", {"action": "reject", "hours": hour.pk, "reason": ""}, follow=True
    )
    assert "Say why, so that the member understands." in answer.content.decode()
    assert state(hour) == "pending"
    client.post("/hours/review/", {"action": "reject", "hours": hour.pk, "reason": "没\x00有来"})
    assert (state(hour), hour.reason) == ("rejected", "没有来")


@pytest.mark.parametrize("body", [{}, {"action": "approve"}, {"action": "fly", "hours": "1"},
                                  {"action": "approve", "hours": "x"},
                                  {"action": "approve", "hours": "9" * 30}])  # fmt: skip
def test_odd_posts_decide_nothing(client: Client, town: Town, body: dict[str, str]) -> None:
    hour = logged(town)
    client.force_login(town.reviewer)
    assert client.post("/hours/review/", body, follow=True).status_code == 200
    assert state(hour) == "pending"


def test_the_queue_is_for_reviewers(client: Client, town: Town) -> None:
    hour = logged(town)
    for who in (town.volunteers[1], town.bookkeeper):
        client.force_login(who)
        assert client.get("/hours/review/").status_code == 403
        answer = client.post("/hours/review/", {"action": "approve", "hours": hour.pk})
        assert answer.status_code == 403
    client.force_login(a_community().reviewer)
    client.post("/hours/review/", {"action": "approve", "hours": hour.pk})
    assert state(hour) == "pending"
    client.logout()
    assert client.get("/hours/review/").status_code == 302


@pytest.mark.parametrize("path", ["/hours/", "/hours/review/"])
def test_pages_cost_the_same_for_one_and_for_three(client: Client, town: Town, path: str) -> None:
    who = town.volunteers[0] if path == "/hours/" else town.reviewer

    def cost() -> int:
        with CaptureQueriesContext(connection) as ran:
            client.get(path)
        return len(ran)

    client.force_login(who)
    logged(town, evidence=GOOD)
    one = cost()
    for _ in range(2):
        logged(town, evidence=GOOD)
    assert cost() == one
