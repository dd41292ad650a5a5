"""`manage.py worker`: run jobs and tasks until told to stop."""

import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand

from config.worker import Worker


class Command(BaseCommand):
    """Start a worker; SIGTERM or Ctrl-C lets it finish what it is at."""

    help = (
        "Runs scheduled jobs and queued tasks until SIGTERM or Ctrl-C. Start as many as you like."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        told_to_stop = threading.Event()

        def stop(signum: int, frame: object) -> None:
            if told_to_stop.is_set():
                sys.exit(1)
            told_to_stop.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        worker = Worker()
        worker.start()
        self.stdout.write(f"worker {worker.name} is running; Ctrl-C stops it")
        told_to_stop.wait()
        self.stdout.write("finishing what is running …")
        if not worker.stop():
            self.stderr.write("still busy after 25 s: another worker will take it up")
