"""What the sockets count, for `/metrics`."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter without a lock, for what happens once per frame and socket."""

    def __init__(self, name: str, documentation: str) -> None:
        self.name, self.documentation = name, documentation
        self.total = 0
        REGISTRY.register(self)

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(self.name, self.documentation, self.total)


sockets_open = Gauge("linli_sockets_open", "Open WebSockets of this process")
subscriptions_open = Gauge("linli_subscriptions_open", "Topic subscriptions of this process")
topics_open = Gauge("linli_topics_open", "Topics that this process's hubs follow")
frames_sent = Tally("linli_frames_sent", "Frames handed to sockets")
closed_slow = Counter("linli_sockets_closed_slow", "Sockets closed with 4008")
events_fetched = Counter("linli_events_fetched", "Events that hubs fetched from the log")
event_lag = Histogram(
    "linli_event_lag_seconds",
    "From an event's time to its hand-over to this process's sockets",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30),
)
