"""What a production server is told at each start: nothing fails, but somebody should know."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 (Django's own name)


@register()
def production_is_meant(**kwargs: Any) -> list[CheckMessage]:
    """Warn of settings that are fine for trying out and wrong for a town."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage] = []
    if settings.SMS_BACKEND == "console":
        found.append(
            Warning(
                "Sign-in codes are printed by the server; nobody gets one by SMS.",
                hint="Set LINLI_SMS_BACKEND=http and LINLI_SMS_GATEWAY_URL.",
                id="linli.W001",
            )
        )
    if not settings.SITE_URL.startswith("https://"):
        found.append(
            Warning(
                "LINLI_SITE_URL is not https: cookies are sent in clear.",
                hint="Set LINLI_SITE_URL to the address that people open.",
                id="linli.W002",
            )
        )
    return found
