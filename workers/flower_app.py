"""Runs in the process of Flower: the Celery app, and two classes that replace Flower's so that it stays fast.

docs/architecture.md lists the names of Flower and Celery that this relies on.
"""

import time
from collections import deque
from typing import Any
from weakref import WeakSet

import flower.app
from celery.events.state import Task
from flower.events import Events, EventsState

from tasks.queues import HTTP_INGEST
from workers.http_tasks import app

SLICE_SECONDS = 0.02
# If more events wait, the oldest are dropped: they only change what is displayed, and count nothing.
MAX_WAITING = 50_000


class FairEvents(Events):
    """Processes events in short slices, with requests in between; the events of jobs go first.

    Flower itself processes all waiting events before the next request, which may take seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._jobs: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        self._others: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        self._scheduled = False

    def on_event(self, event: dict[str, Any]) -> None:
        """Queue an event; the thread that listens to Redis calls this."""
        is_job = event.get("name") == HTTP_INGEST or not event["type"].startswith("task-")
        (self._jobs if is_job else self._others).append(event)
        if not self._scheduled:
            self._scheduled = True
            self.io_loop.add_callback(self._process_slice)

    def _process_slice(self) -> None:
        # Reset first, so that an event that comes after the last look at the queues schedules a new slice.
        self._scheduled = False
        deadline = time.monotonic() + SLICE_SECONDS
        while waiting := self._jobs or self._others:
            self.state.event(waiting.popleft())
            if time.monotonic() > deadline:
                self._scheduled = True
                self.io_loop.add_callback(self._process_slice)
                return


__all__ = ["app"]

MAX_CHILDREN = 500

# So that Flower also knows tasks that wait for a worker.
app.conf.task_send_sent_event = True


class _LimitedSet(WeakSet[Any]):
    """A set of at most MAX_CHILDREN children."""

    def add(self, item: Any) -> None:
        """Add a child unless the set is full."""
        if len(self) < MAX_CHILDREN:
            super().add(item)


class ShownTask(Task):
    """A task that lists at most MAX_CHILDREN of its children, and as many of those that failed.

    The page of a task and every answer about it list all its children: for a job that is ten thousand links and half a
    second of Flower's time. Each file still names its job.
    """

    children: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        children = _LimitedSet()
        children.update(self.children)
        self.children = children
        self.failed_children: WeakSet[Any] = WeakSet()

    def event(self, type_: str, *args: Any, **kwargs: Any) -> None:
        """Apply an event to this task."""
        super().event(type_, *args, **kwargs)
        if type_ == "failed" and self.parent is not None and len(self.parent.failed_children) < MAX_CHILDREN:
            self.parent.failed_children.add(self)
            WeakSet.add(self.parent.children, self)


EventsState.Task = ShownTask
flower.app.Events = FairEvents
