"""Which doors each person sees, by role."""

from typing import Any

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Give every template its `nav_items`."""
    return {"nav_items": []}
