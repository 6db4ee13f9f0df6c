"""Who may work beside whom: first deliveries side by side, a file that may have killed its last worker alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from tasks.ledger import Ledger


class Isolation:
    """Whatever takes this process down while a file is `alone` is that file.

    So only one file is noted in the ledger at a time, and nothing else is loaded or computed beside it. Files that
    want to be alone go first, for a steady stream of others would keep them out for ever; they are few, because a
    worker that dies leaves no more than it held.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = 0
        self._is_alone = False
        self._closed = False

    def enter(self) -> None:
        """Work beside others until `leave`, which any thread may call; raises CancelledError once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._alone)
            self._check()
            self._together += 1

    def leave(self) -> None:
        """The end of what `enter` began."""
        with self._changed:
            self._together -= 1
            self._changed.notify_all()

    @contextmanager
    def together(self) -> Iterator[None]:
        """`enter` and `leave`. Not to be entered twice by one thread."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def alone(self, ledger: Ledger, number: int) -> Iterator[None]:
        """Work while nobody else does, with a note in the ledger that stays there only if this process dies.

        Raises CancelledError once it is closed.
        """
        with self._changed:
            self._alone += 1
            try:
                self._changed.wait_for(lambda: self._closed or not (self._together or self._is_alone))
                self._check()
                self._is_alone = True
            except BaseException:
                self._alone -= 1
                self._changed.notify_all()
                raise
        try:
            ledger.count_attempt(number)
            try:
                yield
            finally:
                ledger.forget_attempt(number)
        finally:
            with self._changed:
                self._alone -= 1
                self._is_alone = False
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more; those who are in may finish."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _check(self) -> None:
        if self._closed:
            raise CancelledError
