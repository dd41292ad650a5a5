"""Hours over HTTP."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.earning.factories import logged
from tests.factories import Town, a_community

pytestmark = pytest.mark.django_db


def listed(api: APIClient, query: str = "") -> list[int]:
    answer = api.get(f"/api/v1/hours{query}")
    assert answer.status_code == 200
    return [row["id"] for row in answer.json()["results"]]


def test_each_sees_their_own_and_reviewers_their_community(api: APIClient, town: Town) -> None:
    mine, theirs = logged(town), logged(town, town.volunteers[1])
    elsewhere = logged(a_community(volunteers=1))
    api.force_authenticate(town.volunteers[0])
    assert listed(api) == [mine.pk]
    assert listed(api, f"?member={town.volunteers[1].pk}") == []
    api.force_authenticate(town.reviewer)
    assert listed(api) == [theirs.pk, mine.pk]
    assert listed(api, "?state=approved") == []
    assert listed(api, f"?state=pending&community={town.community.pk}") == [theirs.pk, mine.pk]
    assert listed(api, f"?community={elsewhere.community_id}") == []


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "community=x",
        "community=0",
        "community=99999999999999999999",
        "member=1.5",
        "state=%00",
    ],
)
def test_a_bad_filter_is_400(api: APIClient, town: Town, query: str) -> None:
    api.force_authenticate(town.reviewer)
    answer = api.get(f"/api/v1/hours?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_approving_and_rejecting(api: APIClient, town: Town) -> None:
    first, second = logged(town), logged(town)
    api.force_authenticate(town.reviewer)
    answer = api.post(f"/api/v1/hours/{first.pk}/approve")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["credits"], body["minutes"]) == ("approved", "0.75", 90)
    assert (body["rule_version"], len(body["why"])) == (1, 3)
    again = api.post(f"/api/v1/hours/{first.pk}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    answer = api.post(f"/api/v1/hours/{second.pk}/reject", {"reason": "没有来"}, format="json")
    assert (answer.status_code, answer.json()["reason"]) == (200, "没有来")


def test_own_hours_are_403_and_others_404(api: APIClient, town: Town) -> None:
    hour, own = logged(town), logged(town, town.reviewer)
    api.force_authenticate(town.reviewer)
    answer = api.post(f"/api/v1/hours/{own.pk}/approve")
    assert (answer.status_code, answer.json()["code"]) == (403, "own_hours")
    api.force_authenticate(town.volunteers[1])
    for path in ("approve", "reject"):
        answer = api.post(f"/api/v1/hours/{hour.pk}/{path}", {"reason": "x"}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert api.post("/api/v1/hours/999999999999999999/approve").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": None}, {"reason": ["x"]}, {"reason": "x" * 301},
             {"reason": "\x00"}, [], "x", None, {"reason": "   "}]
)  # fmt: skip
def test_a_bad_reason_is_400_and_decides_nothing(api: APIClient, town: Town, body: Any) -> None:
    hour = logged(town)
    api.force_authenticate(town.reviewer)
    answer = api.post(f"/api/v1/hours/{hour.pk}/reject", body, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    hour.refresh_from_db()
    assert hour.state == "pending"


def test_signed_out_is_401(api: APIClient, town: Town) -> None:
    assert api.get("/api/v1/hours").status_code == 401


def test_the_list_costs_the_same_for_one_and_for_three(api: APIClient, town: Town) -> None:
    api.force_authenticate(town.reviewer)

    def cost() -> int:
        del town.reviewer._roles_today
        with CaptureQueriesContext(
            connection,
        ) as ran:
            listed(api)
        return len(ran)

    api.post(f"/api/v1/hours/{logged(town).pk}/approve")
    one = cost()
    for volunteer in town.volunteers[1:3]:
        api.post(f"/api/v1/hours/{logged(town, volunteer).pk}/approve")
    assert cost() == one
