"""The metrics of a worker for Prometheus; if `metrics.port` is 0, nothing is counted and nothing is imported.

Names, units and labels are listed in docs/operations.md; deploy/grafana.json draws them.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import redis

from settings import Settings
from settings.errors import ServiceMissing
from tasks.broker import redis_client
from tasks.queues import EMBED, FILES, FILES_LATER, INGEST, POINTS, QUERIES, UNACKED, role
from tasks.recoveries import recoveries

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

STORAGE = "storage"
BATCH_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 256)
SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60)


class _Metrics:
    """The counters of this process."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        def seconds(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"darkroom_{name}_seconds", text, labels, buckets=SECONDS)

        self.batch_size = Histogram("darkroom_batch_size", "Items in one batch.", ["batcher"], buckets=BATCH_SIZES)
        self.batch_seconds = seconds(
            "batch", "Seconds of work on one batch: for clip and blip, of the model.", "batcher"
        )
        self.load_seconds = seconds("load", "Seconds of reading or of decoding one file, waiting not included.")
        self.files = Counter("darkroom_files", "Files by how they ended: stored, failed, reused.", ["outcome"])
        self.retries = Counter("darkroom_retries", "Things done once more: redelivered, publish, store.", ["what"])


_metrics: _Metrics | None = None
# No machine has so many devices.
PORTS_APART = 100


def serve(settings: Settings, name: str) -> None:
    """Serve the metrics of the worker `name`, if the settings say so.

    The storage worker takes `metrics.port`, gpu0 the next port, gpu1 the one after that; where a device has several
    workers, gpu0-1 has the port of gpu0, and gpu0-2 one that is PORTS_APART higher. Other workers have none.
    Raises ServiceMissing if the port is taken or prometheus-client is not installed.
    """
    global _metrics
    port = port_of(settings, name)
    if port is None:
        return
    try:
        from prometheus_client import REGISTRY, start_http_server
    except ModuleNotFoundError:
        raise ServiceMissing("metrics.port is set, but prometheus-client is not installed: pip install it.") from None
    address = settings.metrics.address
    try:
        start_http_server(port, address)
    except OSError as error:
        raise ServiceMissing(
            f"The figures of {name} cannot be served on {address}, port {port} ({error.strerror}): "
            "free the port or choose another by metrics.port."
        ) from error
    _metrics = _Metrics()
    if name == STORAGE:
        REGISTRY.register(_Queues(redis_client(settings)))


def port_of(settings: Settings, name: str) -> int | None:
    """The port of a worker by its name (storage, gpu0, gpu1, ...), or None if it serves no metrics."""
    gpu = re.fullmatch(r"gpu(\d+)(?:-(\d+))?", name)
    if not settings.metrics.port or not (gpu or name == STORAGE):
        return None
    return settings.metrics.port + (1 + int(gpu[1]) + PORTS_APART * (int(gpu[2] or 1) - 1) if gpu else 0)


def batch_done(batcher: str, size: int, seconds: float) -> None:
    """Count a batch."""
    if _metrics is not None:
        _metrics.batch_size.labels(batcher).observe(size)
        _metrics.batch_seconds.labels(batcher).observe(seconds)


def loaded(seconds: float) -> None:
    """Count one reading or one decoding of a file."""
    if _metrics is not None:
        _metrics.load_seconds.observe(seconds)


def files_ended(outcome: str, files: int) -> None:
    """Count files that were stored, failed or reused; those reused were stored as well."""
    if _metrics is not None and files:
        _metrics.files.labels(outcome).inc(files)


def retried(what: str) -> None:
    """Count something that is done again."""
    if _metrics is not None:
        _metrics.retries.labels(what).inc()


class _Queues:
    """The messages in the queues, those that workers hold, and the recoveries, read from Redis for each request."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def collect(self) -> Iterable["GaugeMetricFamily | CounterMetricFamily"]:
        """The current numbers; none while Redis is away."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        queues = (FILES, FILES_LATER, EMBED, POINTS, QUERIES, INGEST)
        pipe = self._client.pipeline(transaction=False)
        for queue in queues:
            pipe.llen(queue)
        pipe.hlen(UNACKED)
        try:
            lengths = pipe.execute()
            counted = recoveries(self._client)
        except redis.RedisError:
            return
        gauge = GaugeMetricFamily("darkroom_queue_messages", "Messages that wait in a queue.", labels=["queue"])
        for queue, length in zip(queues, lengths, strict=False):
            gauge.add_metric([role(queue)], length)
        yield gauge
        yield GaugeMetricFamily("darkroom_messages_in_work", "Messages that workers hold.", value=lengths[-1])
        ways = CounterMetricFamily("darkroom_recoveries", "Ways to recover that were gone.", labels=["what"])
        for kind, times in counted.items():
            ways.add_metric([kind], times)
        yield ways
