"""Task events in groups: Flower hears of everything a moment later, and for a fraction of the price."""

from typing import Any

from celery.bootsteps import StartStopStep
from celery.worker.consumer.events import Events

GATHER_SECONDS = 0.2
MOST_EVENTS = 512


class EventBuffer(StartStopStep):
    """A step of the Celery worker: its task events are sent a few times a second, not at every turn of its loop."""

    requires = (Events,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Begin to gather; called again after every new connection to the broker."""
        self.stop(parent)
        dispatcher = parent.event_dispatcher
        dispatcher.buffer_limit = MOST_EVENTS
        dispatcher.on_send_buffered = None
        self._timer = parent.timer.call_repeatedly(GATHER_SECONDS, dispatcher.flush)

    def stop(self, parent: Any) -> None:
        """Gather no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
