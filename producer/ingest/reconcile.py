"""Reconciliation: decides when files that are under way are published again, because the broker has lost them.

kombu takes a message out of its queue before it notes who holds it, so a worker that is killed in that moment takes the
message with it. Publishing a file twice does no harm at any step, so what seems lost may be published again.
"""

from typing import cast

import redis

from producer.ingest.window import Window
from tasks.queues import FILES, POINTS

UNACKED = "unacked"
QUIET_SECONDS = 5.0
NOWHERE_SECONDS = 3.0
LOOK_SECONDS = 0.5


def message_counts(client: redis.Redis) -> tuple[int, int, int]:
    """Messages in `files`, in `points`, and in the hands of workers."""
    pipe = client.pipeline(transaction=False)
    pipe.llen(FILES)
    pipe.llen(POINTS)
    pipe.hlen(UNACKED)
    return cast(tuple[int, int, int], tuple(pipe.execute()))


class Reconciler:
    """Publishes the window again once nothing moves, no queue and no worker holds anything, and files are missing."""

    def __init__(self, client: redis.Redis, window: Window) -> None:
        self._client = client
        self._window = window
        self._looked = 0.0
        self._empty_since: float | None = None

    def publish_missing(self, now: float, quiet_seconds: float) -> int:
        """One look at time `now` (seconds, monotonic), after `quiet_seconds` without progress.

        Returns how many files were published again; raises RedisError while Redis is away.
        """
        if quiet_seconds < QUIET_SECONDS or now - self._looked < LOOK_SECONDS:
            return 0
        self._looked = now
        if any(message_counts(self._client)):
            self._empty_since = None
            return 0
        # Between the pop of a message and the note that a worker holds it lies a moment in which it is nowhere to be
        # seen, so one look proves nothing.
        self._empty_since = self._empty_since or now
        if now - self._empty_since < NOWHERE_SECONDS:
            return 0
        self._empty_since = None
        return self._window.publish_again()
