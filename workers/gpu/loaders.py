"""The threads that read and decode files, as many as `gpu.loaders`, each file under the eye of a watchdog."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem
from workers.gpu.delivery import Delivery
from workers.gpu.hardware import loaders
from workers.gpu.watchdog import Watchdog
from workers.metrics import loading

log = logging.getLogger("darkroom.gpu")


class Loaders:
    """Runs the steps of deliveries that cost processor time.

    A thread for each message would do the same and wake another one at every step: on a machine that is busy, that
    costs more than a small file.
    """

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.ingest.load_seconds
        self._pool = ThreadPoolExecutor(loaders(settings), thread_name_prefix="loader")
        self._watchdog = Watchdog(self._seconds)

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

    @contextmanager
    def loading(self, ledger: Ledger, item: FileItem) -> Iterator[None]:
        """Read or decode one file; when that hangs, the file is listed as failed and the process ends."""

        def give_up() -> None:
            reason = f"loading it took longer than ingest.load_seconds = {self._seconds}"
            log.error("%s: %s", item.uri, reason)
            ledger.failed([Failure(item.number, item.uri, "load", reason)])

        with self._watchdog.watching(give_up), loading():
            yield

    def close(self) -> None:
        """End the threads once they have done what was submitted."""
        self._pool.shutdown()
        self._watchdog.close()
