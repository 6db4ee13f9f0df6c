"""How Flower takes in events when more come than it can follow: its pages stay quick, and jobs stay true."""

import time
from collections import deque
from typing import Any

from flower.events import Events

from tasks.queues import HTTP_INGEST

SLICE_SECONDS = 0.02
# Events behind; of more the oldest are left out, for they are a view and not a count.
MOST_BEHIND = 50_000


class FairEvents(Events):
    """Takes events in for a moment at a time, and answers requests in between; what is said of jobs goes first.

    Flower itself takes in all that has come before it looks at the next request, which may be seconds of work.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._jobs: deque[dict[str, Any]] = deque(maxlen=MOST_BEHIND)
        self._others: deque[dict[str, Any]] = deque(maxlen=MOST_BEHIND)
        self._scheduled = False

    def on_event(self, event: dict[str, Any]) -> None:
        """Note an event; called by the thread that listens to Redis."""
        is_job = event.get("name") == HTTP_INGEST or not event["type"].startswith("task-")
        (self._jobs if is_job else self._others).append(event)
        if not self._scheduled:
            self._scheduled = True
            self.io_loop.add_callback(self._take_in)

    def _take_in(self) -> None:
        # Taken back first, so that an event that comes right after the last one is not forgotten.
        self._scheduled = False
        deadline = time.monotonic() + SLICE_SECONDS
        while waiting := self._jobs or self._others:
            self.state.event(waiting.popleft())
            if time.monotonic() > deadline:
                self._scheduled = True
                self.io_loop.add_callback(self._take_in)
                return
