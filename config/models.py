"""What the workers know of each other: whose turn a job is, and who is alive."""

from django.db import models


class JobRun(models.Model):
    """One registered job: when it is due, who is at it, how it went."""

    name = models.CharField(max_length=80, unique=True)
    next_at = models.DateTimeField(db_index=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    claimed_until = models.DateTimeField(null=True)
    last_started_at = models.DateTimeField(null=True)
    last_ok_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)


class WorkerBeat(models.Model):
    """A worker that is alive says so every few seconds."""

    worker = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)
