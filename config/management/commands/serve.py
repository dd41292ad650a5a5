"""`manage.py serve`: web, sockets and jobs in one process."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

# The consumer answers what is over 4,096 characters with an error; this is for who means harm.
MOST_BY_SOCKET = 2**20


class Command(BaseCommand):
    """Run daphne in the foreground, with a worker beside it."""

    help = "Serves web, sockets and jobs in one process, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on")
        parser.add_argument(
            "--no-worker", action="store_true", help="leave jobs to `manage.py worker`"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported here: daphne installs its event loop when it is loaded.
        from daphne.endpoints import build_endpoint_description_strings
        from daphne.server import Server

        from config.asgi import application
        from config.server import limit_bodies
        from config.worker import Worker

        host, port = options["host"], options["port"]
        worker = None if options["no_worker"] else Worker()

        def ready() -> None:
            limit_bodies(server.http_factory, settings.MAX_BODY_BYTES)
            if not server.listening_addresses:
                return
            shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
            self.stdout.write(f"Linli is at http://{shown}:{port} — Ctrl-C stops it")
            self.stdout.flush()
            if worker is not None:
                worker.start()

        server = Server(
            application=application,
            endpoints=build_endpoint_description_strings(host=host, port=port),
            ready_callable=ready,
            server_name="linli",
            websocket_max_message_size=MOST_BY_SOCKET,
            websocket_max_frame_size=MOST_BY_SOCKET,
        )
        server.run()
        if not server.listening_addresses:
            raise CommandError(f"Can't listen on {host}:{port}. Is something else running there?")
        if worker is not None:
            worker.stop(within_s=10)
        self.stdout.write("stopped")
