"""What the models compute for a content is kept for a while, so that a copy in the same run costs no second pass."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
# As many files as may be under way before the first of them can be looked up: some megabytes of vectors.
KEPT = 4096


class Recent(Generic[T]):
    """The last results of one model by the sha256 of their content; safe to call from many threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[T]] = OrderedDict()

    def get(self, sha256: str, submit: Callable[[], Future[T]]) -> tuple[Future[T], bool]:
        """The result for a content, and True where it was submitted just now, because there was none that is sound."""
        with self._lock:
            future = self._futures.get(sha256)
            if future is not None and not (future.cancelled() or (future.done() and future.exception() is not None)):
                self._futures.move_to_end(sha256)
                return future, False
        # Outside of the lock, on which all loaders would wait; two that submit the same content only compute it twice.
        future = submit()
        with self._lock:
            self._futures[sha256] = future
            self._futures.move_to_end(sha256)
            while len(self._futures) > self._kept:
                self._futures.popitem(last=False)
        return future, True
