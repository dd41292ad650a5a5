"""The worker: runs registered jobs when they are due, and queued tasks as they come.

Several workers may run, and any may be killed at any moment. A job is claimed by one UPDATE;
the claim is prolonged while it runs and ends LEASE after its worker died. A task left RUNNING
by a dead worker is queued again, three times at most. Jobs and tasks must bear being repeated.
"""

import logging
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import close_old_connections, connection
from django.db.models import Q
from django_tasks_db.management.commands.db_worker import Worker as TaskWorker
from django_tasks_db.models import DBTaskResult

from common import clock, jobs
from config.models import JobRun, WorkerBeat

logger = logging.getLogger(__name__)

BEAT_S = 5.0
LEASE = timedelta(seconds=30)
IDLE_S = 0.5
RETRY = timedelta(minutes=1)
ATTEMPTS = 3


class WorkerDied(RuntimeError):
    """The task's worker died each time it was tried."""


def wall_clock() -> datetime:
    """Return the real time: leases don't follow a clock that the demo's story has set."""
    return datetime.now(UTC)


class Worker:
    """Four threads: short jobs, long jobs, tasks (rosters to solve), and the heartbeat.

    So that neither a roster nor a clean-up of a year's events delays a deadline. On SQLite they
    take turns to write, unit of work by unit of work, with the web's threads (unit_of_work).
    """

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = threading.Event()
        self._tasks: TaskWorker | None = None
        self._at: set[str] = set()
        self._threads = [
            threading.Thread(
                target=self._loop, args=(turn, pause), name=f"linli-{name}", daemon=True
            )
            for name, turn, pause in (
                ("beat", self.beat, BEAT_S),
                ("jobs", self._run_jobs, 2 * IDLE_S),
                ("long", self._run_long_jobs, 2 * IDLE_S),
                ("tasks", self._run_tasks, IDLE_S),
            )
        ]

    def start(self) -> None:
        """Start working in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float = 25.0) -> bool:
        """Take nothing new; wait for what is running. False if it was still running after that.

        What is cut off then is taken up by another worker when the lease ends.
        """
        self._stopping.set()
        tasks = self._tasks
        if tasks is not None:
            tasks.running = False
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        finished = not any(thread.is_alive() for thread in self._threads)
        if finished:
            WorkerBeat.objects.filter(worker=self.name).delete()
        connection.close()
        return finished

    def _loop(self, turn: Callable[[], None], pause_s: float) -> None:
        while not self._stopping.is_set():
            try:
                close_old_connections()
                turn()
            except Exception as error:  # noqa: BLE001 - a restarting database must not end it
                logger.warning("worker: %s: %s", type(error).__name__, error)
            finally:
                close_old_connections()
            self._stopping.wait(pause_s)
        connection.close()

    def beat(self) -> None:
        """Say that we are alive, prolong what we are at, bury the dead.

        Only what we are at: a claim that we failed to give back (the database was away at that
        moment) must end like a dead worker's, or nobody would do that job again.
        """
        now = wall_clock()
        WorkerBeat.objects.update_or_create(
            worker=self.name,
            defaults={"beat_at": now},
            create_defaults={"beat_at": now, "started_at": now},
        )
        at = list(self._at)
        if at:
            held = JobRun.objects.filter(name__in=at, claimed_by=self.name)
            held.update(claimed_until=now + LEASE)
        requeue_orphans(now, idle=self.name if self._tasks is None else None)
        WorkerBeat.objects.filter(beat_at__lt=now - timedelta(days=1)).delete()

    def _run_long_jobs(self) -> None:
        self._run_jobs(long=True)

    def _run_jobs(self, *, long: bool = False) -> None:
        for name in due(wall_clock()):
            if self._stopping.is_set():
                return
            if jobs.registered[name].long is long and claim(name, self.name, wall_clock()):
                self._at.add(name)
                try:
                    self.run_job(name)
                finally:
                    self._at.discard(name)

    def run_job(self, name: str) -> None:
        """Run a claimed job and note how it went."""
        job = jobs.registered[name]
        try:
            job.run(clock.now())
        except Exception:
            logger.exception("job %s failed", name)
            error, pause = traceback.format_exc(), min(job.every, RETRY)
        else:
            error, pause = "", job.every
        now = wall_clock()
        outcome = {"error": error, "next_at": now + pause, "claimed_by": "", "claimed_until": None}
        if not error:
            outcome["last_ok_at"] = now
        JobRun.objects.filter(name=name, claimed_by=self.name).update(**outcome)

    def _run_tasks(self) -> None:
        # Asked first, since the worker's own look takes SQLite's write lock.
        if DBTaskResult.objects.ready().exists():
            self._tasks = TaskWorker(
                queue_names=["*"],
                excluded_queue_names=[],
                interval=0,
                batch=True,
                backend_name="default",
                startup_delay=False,
                max_tasks=None,
                worker_id=self.name,
            )
            try:
                self._tasks.run()
            finally:
                self._tasks = None


def due(now: datetime) -> list[str]:
    """Return the names of registered jobs that are due and free, longest waiting first."""
    known = set(JobRun.objects.values_list("name", flat=True))
    fresh = [JobRun(name=name, next_at=now) for name in jobs.registered if name not in known]
    if fresh:
        JobRun.objects.bulk_create(fresh, ignore_conflicts=True)
    return list(
        JobRun.objects.filter(free(now), name__in=list(jobs.registered), next_at__lte=now)
        .order_by("next_at")
        .values_list("name", flat=True)
    )


def free(now: datetime) -> Q:
    """Filter jobs that nobody alive is at."""
    return Q(claimed_until=None) | Q(claimed_until__lt=now)


def claim(name: str, worker: str, now: datetime) -> bool:
    """Take a due job for `worker`; False if another was faster."""
    taken = JobRun.objects.filter(free(now), name=name, next_at__lte=now).update(
        claimed_by=worker, claimed_until=now + LEASE, last_started_at=now
    )
    return taken == 1


def requeue_orphans(now: datetime, *, idle: str | None = None) -> int:
    """Queue again the tasks whose worker has been silent for LEASE; return how many.

    `idle` is a worker that is at no task: what it left RUNNING (the database was away when the
    task ended) is nobody's either.
    """
    running = DBTaskResult.objects.running()
    if not running.exists():
        return 0
    alive = set(
        WorkerBeat.objects.filter(beat_at__gte=now - LEASE).values_list("worker", flat=True)
    )
    requeued = 0
    for task in running.filter(started_at__lt=now - timedelta(seconds=2 * BEAT_S)):
        if task.worker_ids and task.worker_ids[-1] in alive - {idle}:
            continue
        still = DBTaskResult.objects.filter(
            pk=task.pk, status="RUNNING", started_at=task.started_at
        )
        if len(task.worker_ids) < ATTEMPTS:
            requeued += still.update(status="READY", started_at=None)
        elif still.exists():
            task.set_failed(WorkerDied(f"{ATTEMPTS} workers died at it"))
    return requeued


def youngest_beat_age(now: datetime) -> timedelta | None:
    """Return how long ago any worker last said that it is alive; None if there never was one."""
    last = WorkerBeat.objects.order_by("-beat_at").values_list("beat_at", flat=True).first()
    return now - last if last is not None else None


def job_lag(now: datetime) -> timedelta:
    """Return how long the longest waiting job has been due."""
    first = (
        JobRun.objects.filter(name__in=list(jobs.registered))
        .order_by("next_at")
        .values_list("next_at", flat=True)
        .first()
    )
    return max(timedelta(0), now - first) if first is not None else timedelta(0)
