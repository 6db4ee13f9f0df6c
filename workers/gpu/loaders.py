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


def end_process() -> None:
    """End this process at once; the supervisor starts another one, and what this one held is delivered again."""
    os._exit(70)


class Watchdog:
    """Watches work that may hang.

    When some has run for longer than `seconds`, its own `give_up` is called, which notes who is to blame, and then
    `end`: the neighbours in flight are delivered to the next process, the one at fault is not tried again.
    """

    def __init__(self, seconds: float, end: Callable[[], None] = end_process) -> None:
        self.seconds = seconds
        self._end = end
        self._closed = threading.Event()
        self._numbers = count()
        self._watched: dict[int, tuple[float, Callable[[], None]]] = {}
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def watch(self, give_up: Callable[[], None]) -> int:
        """Watch what begins now; returns the number by which `done` calls it."""
        number = next(self._numbers)
        self._watched[number] = time.monotonic() + self.seconds, give_up
        return number

    def done(self, number: int) -> None:
        """Say that it has ended."""
        self._watched.pop(number, None)

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(min(CHECK_SECONDS, self.seconds / 2)):
            now = time.monotonic()
            late = [entry for entry in list(self._watched.values()) if entry[0] < now]
            for _, give_up in late:
                try:
                    give_up()
                except Exception:  # the process must end even when the note cannot be written
                    log.exception("a file that hangs could not be noted")
            if late:
                self._end()
                return


class Loaders:
    """Runs the steps of deliveries that cost processor time.

    A thread for each message would do the same and wake another one at every step: on a machine that is busy, that
    costs more than a small file.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = ThreadPoolExecutor(loaders(settings), thread_name_prefix="loader")
        self._watchdog = Watchdog(settings.ingest.load_seconds)

    def submit(self, delivery: Delivery, step: Callable[[Delivery], None]) -> None:
        """Run a step of a delivery when its turn comes; what it raises ends the delivery."""

        def run() -> None:
            try:
                step(delivery)
            except BaseException as error:
                delivery.end(error)

        # A copy, for the step before may not have left the context yet.
        try:
            self._pool.submit(delivery.context.copy().run, run)
        except RuntimeError as error:  # closed
            delivery.end(error)

    def loading(self, ledger: Ledger, item: FileItem) -> "Loading":
        """Read or decode one file inside; when that hangs, the file is listed as failed and the process ends."""
        return Loading(self._watchdog, ledger, item)

    def close(self) -> None:
        """End the threads once they have done what was submitted."""
        self._pool.shutdown()
        self._watchdog.close()


class Loading:
    """What `Loaders.loading` returns."""

    def __init__(self, watchdog: Watchdog, ledger: Ledger, item: FileItem) -> None:
        self._watchdog = watchdog
        self._ledger = ledger
        self._item = item

    def __enter__(self) -> None:
        self._number = self._watchdog.watch(self._give_up)
        self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        loaded(time.perf_counter() - self._begin)
        self._watchdog.done(self._number)

    def _give_up(self) -> None:
        reason = f"loading it took longer than ingest.load_seconds = {self._watchdog.seconds}"
        log.error("%s: %s", self._item.uri, reason)
        self._ledger.failed([Failure(self._item.number, self._item.uri, "load", reason)])


log = logging.getLogger("darkroom.gpu")
