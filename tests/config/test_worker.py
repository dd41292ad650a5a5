"""Jobs run once when due, whoever dies; tasks of the dead are taken up."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from django_tasks_db.models import DBTaskResult

from common import jobs
from common.unit_of_work import unit_of_work
from config import worker
from config.models import JobRun, WorkerBeat
from grids.people.models import Skill
from tests.config import tasks
from tests.factories import NOW
from tests.people.factories import SkillFactory
from tests.servers import environment


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Register one hourly job that notes its runs, and nothing else."""
    runs: list[datetime] = []
    monkeypatch.setattr(jobs, "registered", {})
    jobs.register("hourly", every=timedelta(hours=1), run=runs.append)
    return runs


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.mark.django_db
def test_a_job_runs_when_due_and_not_before(
    job: list[datetime], clock: time_machine.Traveller
) -> None:
    one = worker.Worker()
    one._run_jobs()
    one._run_jobs()
    assert job == [NOW]
    clock.shift(timedelta(minutes=59))
    one._run_jobs()
    assert len(job) == 1
    clock.shift(timedelta(minutes=1))
    one._run_jobs()
    assert job == [NOW, NOW + timedelta(hours=1)]
    row = JobRun.objects.get()
    assert (row.error, row.claimed_by, row.claimed_until) == ("", "", None)
    assert row.last_ok_at == NOW + timedelta(hours=1)
    assert row.next_at == NOW + timedelta(hours=2)


@pytest.mark.django_db
@pytest.mark.expects_errors
def test_a_failed_job_says_why_and_is_tried_again_in_a_minute(
    job: list[datetime], clock: time_machine.Traveller
) -> None:
    def fail(now: datetime) -> None:
        raise ZeroDivisionError

    jobs.register("hourly", every=timedelta(hours=1), run=fail)
    worker.Worker()._run_jobs()
    row = JobRun.objects.get()
    assert "ZeroDivisionError" in row.error
    assert (row.last_ok_at, row.next_at) == (None, NOW + timedelta(minutes=1))
    jobs.register("hourly", every=timedelta(hours=1), run=job.append)
    clock.shift(timedelta(minutes=1))
    worker.Worker()._run_jobs()
    assert len(job) == 1
    assert JobRun.objects.get().error == ""


@pytest.mark.django_db
def test_a_claim_keeps_others_away_until_its_worker_is_dead(
    job: list[datetime], clock: time_machine.Traveller
) -> None:
    assert worker.due(NOW) == ["hourly"]
    assert worker.claim("hourly", "first", NOW)
    assert not worker.claim("hourly", "second", NOW)
    assert worker.due(NOW) == []
    alive = worker.Worker()
    alive.name, alive._at = "first", {"hourly"}
    clock.shift(timedelta(seconds=20))
    alive.beat()
    later = NOW + timedelta(seconds=45)
    assert not worker.claim("hourly", "second", later), "a beat prolongs the claim"
    later = NOW + timedelta(seconds=51)
    assert worker.due(later) == ["hourly"]
    assert worker.claim("hourly", "second", later)


@pytest.mark.django_db
def test_a_claim_that_could_not_be_given_back_ends_though_its_worker_lives(
    job: list[datetime], clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker.Worker()
    with monkeypatch.context() as patch:
        patch.setattr(worker.Worker, "run_job", _the_database_is_away)
        with pytest.raises(OperationalError):
            one._run_jobs()
    clock.shift(timedelta(seconds=20))
    one.beat()
    clock.shift(timedelta(seconds=11))
    one._run_jobs()
    assert len(job) == 1


def _the_database_is_away(*args: object) -> None:
    raise OperationalError


@pytest.mark.django_db
def test_a_task_that_its_living_worker_lost_is_queued_again(
    clock: time_machine.Traveller,
) -> None:
    tasks.note.enqueue(7)
    one = worker.Worker()
    row = DBTaskResult.objects.get()
    row.claim(one.name)
    clock.shift(timedelta(seconds=11))
    one._tasks = object()  # type: ignore[assignment]
    one.beat()
    row.refresh_from_db()
    assert row.status == "RUNNING", "it is at it"
    one._tasks = None
    one.beat()
    row.refresh_from_db()
    assert row.status == "READY"


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_the_job(job: list[datetime]) -> None:
    now = worker.wall_clock()
    worker.due(now)
    won: list[str] = []
    start = threading.Barrier(6)

    def reach(name: str) -> None:
        try:
            start.wait()
            if worker.claim("hourly", name, now):
                won.append(name)
        finally:
            connection.close()

    threads = [threading.Thread(target=reach, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@pytest.mark.django_db(transaction=True)
def test_queued_tasks_run() -> None:
    tasks.ran.clear()
    queued = tasks.note.enqueue(7)
    worker.Worker()._run_tasks()
    assert tasks.ran == [7]
    row = DBTaskResult.objects.get(pk=queued.id)
    assert (row.status, row.return_value) == ("SUCCESSFUL", 7)


@pytest.mark.django_db
def test_a_dead_workers_task_is_queued_again_three_times_at_most(
    clock: time_machine.Traveller,
) -> None:
    tasks.note.enqueue(7)
    row = DBTaskResult.objects.get()
    for attempt in (1, 2, 3):
        row.claim(f"worker-{attempt}")
        WorkerBeat.objects.create(
            worker=f"worker-{attempt}", started_at=worker.wall_clock(), beat_at=worker.wall_clock()
        )
        clock.shift(timedelta(seconds=29))
        assert worker.requeue_orphans(worker.wall_clock()) == 0, "it may still be alive"
        clock.shift(timedelta(seconds=2))
        assert worker.requeue_orphans(worker.wall_clock()) == (1 if attempt < 3 else 0)
        row.refresh_from_db()
        assert row.status == ("READY" if attempt < 3 else "FAILED")
    assert "WorkerDied" in row.exception_class_path


@pytest.mark.django_db
def test_lag_and_heartbeat_are_told(job: list[datetime], clock: time_machine.Traveller) -> None:
    assert worker.youngest_beat_age(NOW) is None
    worker.Worker().beat()
    assert worker.youngest_beat_age(NOW + timedelta(seconds=3)) == timedelta(seconds=3)
    assert worker.job_lag(NOW) == timedelta(0)
    worker.due(NOW)
    assert worker.job_lag(NOW + timedelta(minutes=2)) == timedelta(minutes=2)


@pytest.mark.django_db(transaction=True)
def test_a_worker_in_the_background_starts_and_stops(job: list[datetime]) -> None:
    done = threading.Event()
    jobs.register("hourly", every=timedelta(hours=1), run=lambda now: done.set())
    one = worker.Worker()
    one.start()
    assert done.wait(10)
    assert one.stop(within_s=10)
    assert not WorkerBeat.objects.exists(), "who leaves says so: its tasks are taken up at once"


@pytest.mark.django_db(transaction=True)
def test_a_long_job_and_a_long_task_delay_no_short_job(job: list[datetime]) -> None:
    """All at once in one process, each writing: SQLite's writers take turns."""
    long_started, short_done, all_done = (threading.Event() for _ in range(3))

    def long(now: datetime) -> None:
        long_started.set()
        assert short_done.wait(20)
        with unit_of_work(now=now):
            SkillFactory(code="long")
        all_done.set()

    def short(now: datetime) -> None:
        assert long_started.wait(20)
        with unit_of_work(now=now):
            SkillFactory(code="short")
        short_done.set()

    jobs.register("a clean-up", every=timedelta(hours=1), run=long, long=True)
    jobs.register("hourly", every=timedelta(hours=1), run=short)
    one = worker.Worker()
    one.start()
    assert all_done.wait(30)
    assert one.stop(within_s=10)
    assert Skill.objects.count() == 2
    assert {row.error for row in JobRun.objects.all()} == {""}


def test_what_has_a_deadline_is_short() -> None:
    long = {name for name, found in jobs.registered.items() if found.long}
    assert long >= {"realtime.prune", "config.forget_old_answers", "make_shifts"}
    assert not long & {"mark missed seats", "lapse bookings", "seal the ledgers"}


@pytest.mark.django_db(transaction=True)
def test_the_command_stops_cleanly_when_told() -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "worker"],
        cwd=Path(settings.BASE_DIR),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "is running" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
