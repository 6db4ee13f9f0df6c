"""The threads that read and decode files, as many as `gpu.loaders`, and the time limit of each file."""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem
from workers.exit_codes import LOAD_TIMEOUT
from workers.gpu.delivery import Delivery
from workers.gpu.watchdog import Watchdog
from workers.inference.hardware import loaders
from workers.metrics import loaded

log = logging.getLogger("darkroom.gpu")


def exit_process() -> None:
    """End this process at once; the supervisor starts another one, and Redis delivers its messages again."""
    os._exit(LOAD_TIMEOUT)


class LoaderPool:
    """Runs the steps of deliveries that cost processor time.

    A thread for each message could do the same, but then every step would wake up another thread: on a busy machine
    that costs more than a small file.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = ThreadPoolExecutor(loaders(settings), thread_name_prefix="loader")
        self._seconds = settings.ingest.load_seconds
        self._watchdog = Watchdog(exit_process)

    def submit(self, delivery: Delivery, step: Callable[[Delivery], None]) -> None:
        """Run a step of a delivery when a thread is free; what the step raises ends the delivery."""

        def run() -> None:
            try:
                step(delivery)
            except BaseException as error:
                delivery.complete(error)

        try:
            # In a copy of the context, because the step before may still run in the original.
            self._pool.submit(delivery.context.copy().run, run)
        except RuntimeError as error:  # the pool is closed
            delivery.complete(error)

    def time_limit(self, ledger: Ledger, item: FileItem) -> "TimeLimit":
        """A context to read or decode one file in; when that hangs, the file fails and the process ends."""
        return TimeLimit(self._watchdog, self._seconds, ledger, item)

    def close(self) -> None:
        """End the threads once they have done what was submitted."""
        self._pool.shutdown()
        self._watchdog.close()


class TimeLimit:
    """The context of `LoaderPool.time_limit`; it also measures the time for the metrics."""

    def __init__(self, watchdog: Watchdog, seconds: float, ledger: Ledger, item: FileItem) -> None:
        self._watchdog = watchdog
        self._seconds = seconds
        self._ledger = ledger
        self._item = item

    def __enter__(self) -> None:
        self._number = self._watchdog.start(self._seconds, self._record_timeout)
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        loaded(time.perf_counter() - self._started)
        self._watchdog.stop(self._number)

    def _record_timeout(self) -> None:
        reason = f"loading it took longer than ingest.load_seconds = {self._seconds}"
        log.error("%s: %s", self._item.uri, reason)
        self._ledger.failed([Failure(self._item.number, self._item.uri, "load", reason)])
