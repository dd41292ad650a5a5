"""The event log: the truth that every socket, inbox and board is fed from."""

from django.db import models


class Topic(models.Model):
    """One stream; `head` is the last sequence number given out, taken under a row lock."""

    name = models.CharField(max_length=80, unique=True)
    head = models.BigIntegerField(default=0)
    kept_from = models.BigIntegerField(default=1)


class Event(models.Model):
    """One change, as this topic's audience may see it; gapless by `seq` and in commit order."""

    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, related_name="events")
    seq = models.BigIntegerField()
    type = models.CharField(max_length=40)
    data = models.JSONField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["topic", "seq"], name="gapless_seq")]
