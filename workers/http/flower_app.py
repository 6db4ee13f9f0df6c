"""What runs in Flower's own process: the Celery app, and jobs with more files than a page can list."""

from typing import Any
from weakref import WeakSet

import flower.app
from celery.events.state import Task
from flower.events import EventsState

from workers.http import app
from workers.http.fair_events import FairEvents

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
