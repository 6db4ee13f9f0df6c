"""A lock with two modes: files run side by side, but a file that may have killed a worker runs alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from tasks.ledger import Ledger
from tasks.recoveries import recovered


class Isolation:
    """A reader-writer lock that knows the ledger: `shared` for ordinary files, `exclusive` for a suspected one.

    If this process dies while a file is `exclusive`, that file killed it. Therefore the ledger notes only one file at a
    time, and nothing else is loaded or computed beside it. Files that wait for `exclusive` go first: a steady stream of
    shared ones would keep them waiting for ever, and they are few, because a worker that dies leaves only what it held.
    """

    def __init__(self) -> None:
        # Entered by itself where nobody waits: a Condition does so in Python, which shows at several times a file.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._shared = 0
        self._exclusive_requests = 0
        self._is_exclusive = False
        self._closed = False

    def acquire_shared(self, times: int = 1) -> None:
        """Enter the shared mode until as many `release_shared`; raises CancelledError once the lock is closed."""
        with self._lock:
            if self._exclusive_requests:
                self._changed.wait_for(lambda: self._closed or not self._exclusive_requests)
            self._raise_if_closed()
            self._shared += times

    def release_shared(self) -> None:
        """Leave the shared mode; another thread than the one that acquired it may call this."""
        with self._lock:
            self._shared -= 1
            if self._exclusive_requests:
                self._changed.notify_all()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """The shared mode inside this context. It is not reentrant: one thread must not enter it twice."""
        self.acquire_shared()
        try:
            yield
        finally:
            self.release_shared()

    @contextmanager
    def exclusive(self, ledger: Ledger, number: int) -> Iterator[None]:
        """The exclusive mode inside this context, with a note in the ledger that remains only if this process dies.

        Raises CancelledError once the lock is closed.
        """
        with self._changed:
            self._exclusive_requests += 1
            try:
                self._changed.wait_for(lambda: self._closed or not (self._shared or self._is_exclusive))
                self._raise_if_closed()
                self._is_exclusive = True
            except BaseException:
                self._exclusive_requests -= 1
                self._changed.notify_all()
                raise
        try:
            ledger.count_attempt(number)
            recovered(ledger.client, "isolated")
            try:
                yield
            finally:
                ledger.forget_attempt(number)
        finally:
            with self._changed:
                self._exclusive_requests -= 1
                self._is_exclusive = False
                self._changed.notify_all()

    def close(self) -> None:
        """Let no more thread enter; those that are inside may finish."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise CancelledError
