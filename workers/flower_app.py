"""What runs in Flower's own process: the Celery app, and two classes of Flower's in a version that stays quick.

docs/architecture.md lists every name of Flower's that this relies on.
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


__all__ = ["app"]

LISTED = 500

# Flower also hears of tasks that wait for a worker, so that none is unknown to whoever has sent it.
app.conf.task_send_sent_event = True


class _Listed(WeakSet[Any]):
    """The first LISTED of the children that Flower remembers."""

    def add(self, item: Any) -> None:
        """Add a child while there is room."""
        if len(self) < LISTED:
            super().add(item)


class ShownTask(Task):
    """A task that lists some of its children, and of the failed ones nearly all.

    The page of a task, and every answer about it, names all its children: ten thousand links, in half a second of
    Flower's time, for each look at a job. All files name their job all the same.
    """

    children: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        listed = _Listed()
        listed.update(self.children)
        self.children = listed
        self.failed_children: WeakSet[Any] = WeakSet()

    def event(self, type_: str, *args: Any, **kwargs: Any) -> None:
        """Take in an event."""
        super().event(type_, *args, **kwargs)
        if type_ == "failed" and self.parent is not None and len(self.parent.failed_children) < LISTED:
            self.parent.failed_children.add(self)
            WeakSet.add(self.parent.children, self)


EventsState.Task = ShownTask
flower.app.Events = FairEvents
