"""The ASGI application: HTTP by Django, `/ws/` by the one consumer. Daphne and uvicorn run it."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

# Imported here: models may be loaded only after django.setup().
from common.asgi import ThreadPoolHandler  # noqa: E402
from config.checks import log_what_is_missing  # noqa: E402
from grids.people.backends import member_of_token  # noqa: E402
from realtime.consumer import SocketConsumer  # noqa: E402

log_what_is_missing()
# Whoever looks after the process must hear from it just when everybody waits for the database.
django_application = ThreadPoolHandler(apart={"/healthz": 1, "/readyz": 2, "/metrics": 1})
socket_application = SocketConsumer.as_asgi(member_of_token=member_of_token)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Route by protocol; a socket anywhere but at `/ws/` is refused."""
    if scope["type"] == "http":
        await django_application(scope, receive, send)
    elif scope["type"] == "websocket":
        if scope["path"] == "/ws/":
            await socket_application(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Say that we have started and stopped; daphne never asks."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
