"""When a stack that nobody keeps up may end: nobody uses it, and its queues are empty or stand still."""

import time
from pathlib import Path

from tasks.locks import FileLock, take
from workers.local.broker import Glance

CHECK_SECONDS = 0.2
STUCK_SECONDS = 30.0


class Usage:
    """Watches the lock that every user of the stack holds shared."""

    def __init__(self, users_lock: Path) -> None:
        self.lock: FileLock | None = None
        self._path = users_lock
        self._next_check = 0.0
        self._seen: tuple[int, int, int] | None = None
        self._seen_at = time.monotonic()

    def over(self, glance: Glance | None, came_up: bool) -> bool:
        """True when the stack may end; then `lock` is held exclusively, and newcomers wait for it.

        A stack that never `came_up` has no work to finish.
        """
        now = time.monotonic()
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_SECONDS
        lock = take(self._path)
        if lock is None:
            self._seen_at = now
            return False
        if came_up and not self._finished(glance, now):
            lock.release()
            return False
        self.lock = lock
        return True

    def _finished(self, glance: Glance | None, now: float) -> bool:
        if glance and (glance.drained or glance.stop_now):
            return True
        seen = (glance.files, glance.points, glance.unacked) if glance else None
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return now - self._seen_at >= STUCK_SECONDS
