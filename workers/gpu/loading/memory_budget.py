"""How much memory files may take in one worker, whatever their number: in bytes of files and in pixels of pictures."""

import threading
from collections import deque
from concurrent.futures import CancelledError


class NoRoom(Exception):
    """A file cannot be read now: `size` bytes do not fit beside those of others."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class MemoryBudget:
    """A weighted semaphore, first come, first served; what alone is larger than the `limit` passes alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        # Entered by itself where nobody waits: a Condition does so in Python, which shows at several times a file.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[object] = deque()
        self._closed = False

    def try_take(self, size: int) -> bool:
        """Take so much if it fits and nobody waits for more; False if it does not."""
        with self._lock:
            if self._waiting or not self._fits(size):
                return False
            self.taken += size
            return True

    def take(self, size: int) -> None:
        """Wait until so much fits, and take it; raises CancelledError once the budget is closed."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._closed or (self._waiting[0] is ticket and self._fits(size)))
                if self._closed:
                    raise CancelledError
                self.taken += size
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        if size:
            with self._lock:
                self.taken -= size
                if self._waiting:
                    self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return not self.taken or self.taken + size <= self.limit


class Lease:
    """What the files of one delivery have taken of a budget; all of it goes back when the delivery ends."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._held = self._prepaid = 0

    def reserve(self, size: int) -> None:
        """Take what the next file needs; raises NoRoom if it does not fit, and never waits.

        A loader that waited would hold its place, while those who could make room wait for a place.
        """
        if size <= self._prepaid:
            size = self._prepaid
        elif not self._budget.try_take(size):
            raise NoRoom(size)
        with self._lock:
            self._held += size
            self._prepaid = 0

    def adopt(self, size: int) -> None:
        """Hold what somebody else has taken of the same budget."""
        with self._lock:
            self._held += size

    def settle(self, size: int) -> None:
        """The files that were read take so much after all, and not what was reserved for them."""
        if size < self._held:
            self.give_back(self._held - size)

    def prepay(self, size: int) -> None:
        """Wait until so much fits, for the next `reserve`; only for a delivery that holds nothing."""
        self.give_back()
        self._budget.take(size)
        self._prepaid = size

    def give_back(self, size: int | None = None) -> None:
        """Give back what a file no longer takes, or everything."""
        with self._lock:
            if size is None:
                size, self._held, self._prepaid = self._held + self._prepaid, 0, 0
            else:
                # After the end of a delivery a loader may still be at one of its files, whose bytes went back already.
                size = min(size, self._held)
                self._held -= size
        self._budget.give_back(size)
