"""What a production site lacks: nothing fails, but somebody should know.

Said by `manage.py check --deploy` and in the log of each server that starts, not by every command.
"""

import logging
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 (Django's own name)


@register(deploy=True)
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


def log_what_is_missing() -> None:
    """Say it once in a server's log, however the server was started."""
    for found in production_is_meant():
        logging.getLogger(__name__).warning("%s: %s %s", found.id, found.msg, found.hint)
