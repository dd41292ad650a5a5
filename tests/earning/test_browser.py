"""The reviewers' queue on a phone."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.earning.factories import logged
from tests.factories import a_community
from tests.people.test_browser import page

__all__ = ["page"]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_reason_has_the_width_of_the_card(page: Any, live_server: Any) -> None:
    town = a_community()
    hour = logged(town)
    client = Client()
    client.force_login(town.reviewer, backend="grids.people.backends.MemberBackend")
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies(
        [{"name": name, "value": client.cookies[name].value, "url": live_server.url}]
    )
    page.goto("/hours/review/")
    page.locator(f"#reject-{hour.pk} summary").click()
    reason = page.locator(f"#reason-{hour.pk}").bounding_box()
    approve = page.locator(f"#approve-{hour.pk}").bounding_box()
    assert reason["width"] > 250
    assert reason["y"] >= approve["y"] + approve["height"]
