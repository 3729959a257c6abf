"""What the server counts, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
INPUTS = (1, 2, 4, 8, 16, 32, 64)
OTHER = "other"  # path of requests for something that does not exist


class Monitoring:
    """The counters of one server."""

    def __init__(self, paths: frozenset[str], waiting: Callable[[], int]) -> None:
        """Create the counters.

        Args:
            paths: that are counted under their own names; a client cannot make up others.
            waiting: returns the number of inputs that wait for the model.
        """
        self.registry = CollectorRegistry()
        self._paths = paths
        self._requests = Counter("headstart_requests", "Answered requests.", ("path", "status"), registry=self.registry)
        self._seconds = Histogram(
            "headstart_request_seconds", "From headers to answer.", ("path",), buckets=SECONDS, registry=self.registry
        )
        self._batches = Histogram(
            "headstart_batch_inputs", "Inputs that the model predicted at once.", buckets=INPUTS, registry=self.registry
        )
        self._busy = Counter("headstart_model_seconds", "Seconds in which the model predicted.", registry=self.registry)
        gauge = Gauge("headstart_waiting_inputs", "Inputs that wait for the model.", registry=self.registry)
        gauge.set_function(waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        path = path if path in self._paths else OTHER
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, inputs: int, seconds: float) -> None:
        """Count a batch."""
        self._batches.observe(inputs)
        self._busy.inc(seconds)

    def text(self) -> tuple[bytes, str]:
        """Return all counters, and the type of their format."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
