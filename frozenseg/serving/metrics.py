"""Metrics of the server in the text format of Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

METRICS_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
IMAGES = (1, 2, 4, 8, 16, 32)


class ServerMetrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        self._requests = Counter(
            "frozenseg_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "frozenseg_request_seconds", "Time of a request.", ("route",), registry=self.registry, buckets=SECONDS
        )
        self._batch_images = Histogram(
            "frozenseg_batch_images", "Images that passed the model together.", registry=self.registry, buckets=IMAGES
        )
        self._batch_seconds = Histogram(
            "frozenseg_batch_seconds", "Time of the model for a batch.", registry=self.registry, buckets=SECONDS
        )
        self._waiting = Gauge("frozenseg_waiting", "Calls that wait for the model.", registry=self.registry)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_batch(self, images: int, seconds: float) -> None:
        """Count a batch of images, or another call of the model."""
        self._batch_images.observe(images)
        self._batch_seconds.observe(seconds)

    def watch_queue(self, waiting: Callable[[], float]) -> None:
        """Report the length of a queue, read when the metrics are."""
        self._waiting.set_function(waiting)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self.registry)
