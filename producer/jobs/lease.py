"""The sign of life of a job's producer, by which others tell a job that goes on from one that was left."""

import threading
import time
from contextlib import suppress
from types import TracebackType

from redis.exceptions import RedisError

from tasks.ledger import Ledger

# A laptop that stutters must not look dead, and nobody waits for the answer of `status` for longer than this.
LEASE_SECONDS = 15
LEAVE_SECONDS = 2.0
LOOK_SECONDS = 0.1


class JobLease:
    """Renews the lease of a job while it is entered, in a thread of its own: the command may wait for a worker.

    It runs out `seconds` (LEASE_SECONDS by default) after the process was killed.
    """

    def __init__(self, ledger: Ledger, seconds: int | None = None) -> None:
        self._ledger = ledger
        self._seconds = seconds or LEASE_SECONDS
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="job-lease", daemon=True)

    def __enter__(self) -> "JobLease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(LEAVE_SECONDS)

    def _renew(self) -> None:
        # Without Redis there is nobody to be told; the lease runs out by itself.
        while not self._ended.is_set():
            with suppress(RedisError, OSError):
                self._ledger.hold(self._seconds)
            self._ended.wait(self._seconds / 3)
        # Whenever it ends, also while it is being renewed.
        with suppress(RedisError, OSError):
            self._ledger.release()


def is_left(ledger: Ledger) -> bool:
    """Whether the producer of a job is gone: its lease is not renewed, and runs out within LEASE_SECONDS."""
    key, before = ledger.key("producer"), float("inf")
    while (left := ledger.client.pttl(key)) > 0:
        if left > before:
            return False
        before = left
        time.sleep(LOOK_SECONDS)
    return True
