"""Keep the event log to its days."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from common.unit_of_work import current, unit_of_work
from realtime.models import Event, Topic

# Rows deleted per transaction, so that no writer waits long.
BATCH = 2000


def prune(now: datetime) -> None:
    """Delete events older than EVENT_KEEP_DAYS; whoever asks for them is told to reload.

    A topic is cut by `seq` up to its last old event, so that what is kept has no hole.
    """
    limit = now - timedelta(days=settings.EVENT_KEEP_DAYS)
    old = Event.objects.filter(at__lt=limit).values_list("topic_id").annotate(cut=Max("seq"))
    for topic_id, cut in list(old.order_by("topic_id")):
        more = True
        while more:
            with unit_of_work(now=now):
                more = forget(topic_id=topic_id, up_to=cut)


def forget(*, topic_id: int, up_to: int) -> bool:
    """Drop a batch of a topic's events up to seq `up_to`; say whether any are left."""
    current()
    topic = Topic.objects.select_for_update(no_key=True).get(pk=topic_id)
    keep_from = min(max(topic.kept_from, 1) + BATCH, up_to + 1)
    if keep_from > topic.kept_from:
        Topic.objects.filter(pk=topic_id).update(kept_from=keep_from)
    Event.objects.filter(topic_id=topic_id, seq__lt=keep_from).delete()
    return keep_from <= up_to
