"""`manage.py serve`: web, sockets and jobs in one process."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


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
        from config.worker import Worker

        host, port = options["host"], options["port"]
        worker = None if options["no_worker"] else Worker()

        def ready() -> None:
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
        )
        server.run()
        if not server.listening_addresses:
            raise CommandError(f"Can't listen on {host}:{port}. Is something else running there?")
        if worker is not None:
            worker.stop(within_s=10)
        self.stdout.write("stopped")
