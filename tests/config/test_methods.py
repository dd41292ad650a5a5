"""Addresses that only take a POST: nobody is sent there, and who opens one is told."""

import pytest
from django.test import Client

from tests.factories import MemberFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/bookings/3/?a=1", "%2Fbookings%2F3%2F%3Fa%3D1"),
        ("http://elsewhere.example/bookings/3/", "%2F"),
        ("javascript:alert(1)", "%2F"),
        ("", "%2F"),
    ],
)
def test_a_post_without_a_session_comes_back_to_its_page(
    client: Client, referer: str, back: str
) -> None:
    answer = client.post("/bookings/3/cancel/", headers={"referer": referer})
    assert answer["Location"].replace("/", "%2F") == f"%2Fsign-in%2F?next={back}"


def test_sign_in_keeps_its_own_next(client: Client) -> None:
    answer = client.post("/sign-in/code/", {"code": "1", "next": "/me/"})
    assert answer["Location"] == "/sign-in/?next=%2Fme%2F"


def test_opening_an_address_that_takes_a_post_is_a_page_in_words(client: Client) -> None:
    client.force_login(MemberFactory(language="en"))
    answer = client.get("/bookings/3/cancel/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "only takes what a button on a page sends" in answer.text
    assert 'href="/"' in answer.text


def test_the_api_keeps_its_own_words(client: Client) -> None:
    client.force_login(MemberFactory())
    answer = client.put("/api/v1/bookings")
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
