"""When a stack that stays for its users alone may end: some time after the last of them, and not before its work."""

import time
from pathlib import Path

from tasks.stack.locks import FileLock, acquire
from workers.supervisor.broker_view import BrokerState

CHECK_SECONDS = 0.2
STUCK_SECONDS = 30.0


class Usage:
    """Watches the lock that every user of the stack holds shared."""

    def __init__(self, users_lock: Path, linger_seconds: float) -> None:
        """`linger_seconds` is how long the stack waits for another user after the last one has left."""
        self.lock: FileLock | None = None
        self._path = users_lock
        self._linger_seconds = linger_seconds
        self._next_check = 0.0
        self._touched: int | None = None
        self._seen: tuple[int, int, int] | None = None
        self._used_at = self._seen_at = time.monotonic()

    def over(self, state: BrokerState | None, came_up: bool) -> bool:
        """True when the stack may end; then `lock` is held exclusively, and newcomers wait for it.

        A stack that never `came_up` has no work to finish, and nothing that a next user would find ready.
        """
        now = time.monotonic()
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_SECONDS
        lock = acquire(self._path)
        # Every user sets the time of the file: one that came and went between two looks is seen as well.
        touched = self._path.stat().st_mtime_ns if lock else None
        if lock is None or touched != self._touched:
            self._touched = touched
            self._used_at = self._seen_at = now
        if lock is None:
            return False
        if came_up and not self._may_end(state, now):
            lock.release()
            return False
        self.lock = lock
        return True

    def _may_end(self, state: BrokerState | None, now: float) -> bool:
        if state and state.stop_now:
            return True
        if now - self._used_at < self._linger_seconds:
            return False
        if state and state.drained:
            return True
        seen = (state.files, state.points, state.unacked) if state else None
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return now - self._seen_at >= STUCK_SECONDS
