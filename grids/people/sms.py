"""Text messages: to the console, an HTTP gateway, or a list that tests read.

A message is sent after the commit. The gateway is called from a thread of its own, so that the
answer to a request for a code takes as long for an unknown number as for a known one.
"""

import http.client
import json
import logging
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import transaction

from grids.people.phones import masked

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 8
WAITS_SECONDS = (1, 5)
_senders = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sms")


@dataclass(frozen=True)
class Message:
    """One text for one number (E.164)."""

    to: str
    text: str


outbox: list[Message] = []  # what the memory backend "sent"


class NotSent(Exception):
    """The gateway did not take the message."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token and the text to an address nobody configured."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def send_after_commit(message: Message | None) -> None:
    """Send `message` once the open transaction has committed; None sends nothing, as slowly."""
    transaction.on_commit(partial(_dispatch, message), robust=True)


def _dispatch(message: Message | None) -> None:
    if settings.SMS_BACKEND == "http":
        _senders.submit(deliver, message)
    else:
        deliver(message)


def deliver(message: Message | None) -> bool:
    """Send now, trying the gateway three times; the text is never logged, it holds a code."""
    if message is None:
        return False
    for wait in (*WAITS_SECONDS, None):
        try:
            _send(message)
        except NotSent as error:
            logger.warning("SMS to %s was not taken: %s", masked(message.to), error)
            if wait is None:
                break
            time.sleep(wait)
        else:
            return True
    logger.error("SMS to %s failed %d times", masked(message.to), len(WAITS_SECONDS) + 1)
    return False


def _send(message: Message) -> None:
    """Hand one message to the backend; raise NotSent with a reason that holds no text."""
    if settings.SMS_BACKEND == "memory":
        outbox.append(message)
    elif settings.SMS_BACKEND == "http":
        _post(message)
    else:
        # The console is the phone here, so the code is shown; the log only notes that it was.
        sys.stdout.write(f"SMS to {message.to}: {message.text}\n")
        sys.stdout.flush()
        logger.info("SMS to %s was printed on the console", masked(message.to))


def _post(message: Message) -> None:
    """POST {"to", "text"} to the gateway with its bearer token; any 2xx means taken."""
    url = settings.SMS_GATEWAY_URL
    if not url.startswith(("https://", "http://")):
        raise NotSent("LINLI_SMS_GATEWAY_URL is no http(s) address")
    request = urllib.request.Request(  # noqa: S310 (the scheme is checked above)
        url,
        data=json.dumps({"to": message.to, "text": message.text}).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {settings.SMS_GATEWAY_TOKEN}",
        },
        method="POST",
    )
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS):
            return
    except (OSError, ValueError, http.client.HTTPException) as error:
        # HTTPError is an OSError; a gateway may quote the text in its reason, so only the kind.
        status = getattr(error, "code", "")
        raise NotSent(f"{type(error).__name__} {status}".strip()) from None
