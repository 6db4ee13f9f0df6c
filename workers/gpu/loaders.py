"""The threads that read and decode files, as many as `gpu.loaders`, and the time limit of each file."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem
from workers.gpu.delivery import Delivery
from workers.inference.hardware import loaders
from workers.metrics import loaded

log = logging.getLogger("darkroom.gpu")

CHECK_SECONDS = 0.5


def exit_process() -> None:
    """End this process at once; the supervisor starts another one, and Redis delivers its messages again."""
    os._exit(70)


class Watchdog:
    """Watches work that may hang.

    When some of it runs for longer than `seconds`, its own `on_timeout` is called, which records the file at fault, and
    then `exit_process`. The other files in flight are delivered again; the file at fault is not.
    """

    def __init__(self, seconds: float, exit_process: Callable[[], None] = exit_process) -> None:
        self.seconds = seconds
        self._exit_process = exit_process
        self._closed = threading.Event()
        self._numbers = count()
        self._watched: dict[int, tuple[float, Callable[[], None]]] = {}
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def start(self, on_timeout: Callable[[], None]) -> int:
        """Watch work that begins now; returns its number for `stop`."""
        number = next(self._numbers)
        self._watched[number] = time.monotonic() + self.seconds, on_timeout
        return number

    def stop(self, number: int) -> None:
        """Stop watching work that has ended."""
        self._watched.pop(number, None)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(min(CHECK_SECONDS, self.seconds / 2)):
            now = time.monotonic()
            overdue = [on_timeout for deadline, on_timeout in list(self._watched.values()) if deadline < now]
            for on_timeout in overdue:
                try:
                    on_timeout()
                except Exception:  # the process must end even when the failure cannot be recorded
                    log.exception("a file that hangs could not be noted")
            if overdue:
                self._exit_process()
                return


class LoaderPool:
    """Runs the steps of deliveries that cost processor time.

    A thread for each message could do the same, but then every step would wake up another thread: on a busy machine
    that costs more than a small file.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = ThreadPoolExecutor(loaders(settings), thread_name_prefix="loader")
        self._watchdog = Watchdog(settings.ingest.load_seconds)

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
        return TimeLimit(self._watchdog, ledger, item)

    def close(self) -> None:
        """End the threads once they have done what was submitted."""
        self._pool.shutdown()
        self._watchdog.close()


class TimeLimit:
    """The context of `LoaderPool.time_limit`; it also measures the time for the metrics."""

    def __init__(self, watchdog: Watchdog, ledger: Ledger, item: FileItem) -> None:
        self._watchdog = watchdog
        self._ledger = ledger
        self._item = item

    def __enter__(self) -> None:
        self._number = self._watchdog.start(self._record_timeout)
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        loaded(time.perf_counter() - self._started)
        self._watchdog.stop(self._number)

    def _record_timeout(self) -> None:
        reason = f"loading it took longer than ingest.load_seconds = {self._watchdog.seconds}"
        log.error("%s: %s", self._item.uri, reason)
        self._ledger.failed([Failure(self._item.number, self._item.uri, "load", reason)])
