"""The early end of an ingest, by Ctrl-C or by an error: nothing more is begun, and nothing is left lying about."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import RedisError

from producer.ingest.interrupts import Interrupts
from producer.ingest.job_progress import JobProgress
from producer.ingest.window import Window
from producer.jobs.listing import JobListing
from settings.errors import DarkroomError
from settings.redis_errors import redis_errors
from tasks.ledger import Ledger

# A batch of captions takes a processor some seconds; whatever is finished later is stored all the same.
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.2


class Stopping:
    """Is over when no worker has a file of the job any more, STOP_SECONDS after the first Ctrl-C, or at the second.

    Workers let go of the files that are in no model yet; those are done by the next ingest.
    """

    def __init__(self, interrupts: Interrupts, ledger: Ledger, window: Window, progress: JobProgress) -> None:
        self._interrupts = interrupts
        self._ledger, self._window, self._progress = ledger, window, progress
        self._deadline: float | None = None
        self._next_look = 0.0
        self._over = False

    def begins(self) -> bool:
        """True once, after the first Ctrl-C or when it is cancelled; what no worker has begun is taken back then."""
        if self._progress.is_cancelled:
            self._interrupts.stop()
        if not self._interrupts.stopping or self._deadline is not None:
            return False
        self._deadline = time.monotonic() + STOP_SECONDS
        _take_back(self._ledger, self._window)
        return True

    @property
    def over(self) -> bool:
        """True when nothing is left to wait for."""
        now = time.monotonic()
        if self._deadline is not None and not self._over and now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._over = now >= self._deadline or self._is_done()
        return self._over or self._interrupts.leaving

    def _is_done(self) -> bool:
        try:
            return self._progress.in_work() == 0
        except RedisError:
            return False


@contextmanager
def undone_on_error(ledger: Ledger, window: Window, listing: JobListing) -> Iterator[None]:
    """Where an error ends the job inside, take back what was enqueued; a job of which nothing was done is forgotten."""
    try:
        yield
    except DarkroomError:
        _take_back(ledger, window)
        with suppress(*redis_errors()):
            if ledger.counts().finished:
                ledger.note(state="interrupted")
            else:
                ledger.forget()
                listing.discard()
        raise


def _take_back(ledger: Ledger, window: Window) -> None:
    with suppress(*redis_errors()):  # without Redis no worker gets anything
        ledger.stop()
        window.withdraw()
