"""A lane of its own for an interactive queue, so that a question never waits for a place behind an ingest."""

from typing import Any

from celery.bootsteps import ConsumerStep
from celery.worker.consumer.tasks import Tasks
from kombu.messaging import Consumer

PLACES = 2


class InteractiveLane(ConsumerStep):
    """A step of the Celery worker that takes `queue` by a channel and places of its own.

    A worker holds at most as many messages as it has threads, whatever queue they come from: while it is full of files,
    it does not even take a question from Redis until one of them is finished, which may be a batch of captions later.
    The worker is started with PLACES threads more than it is to hold of the other messages, and without this queue.
    """

    requires = (Tasks,)
    queue: str

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        parent.initial_prefetch_count -= PLACES

    def start(self, parent: Any) -> None:
        """Consume; called again after every new connection to the broker."""
        consumer = Consumer(
            parent.connection.channel(),
            [parent.app.amqp.queues.new_missing(self.queue)],
            accept=parent.app.conf.accept_content,
            on_message=parent.create_task_handler(),
            on_decode_error=parent.on_decode_error,
            prefetch_count=PLACES,
        )
        self.consumers = [consumer]
        consumer.consume()


def lane(queue: str) -> type[InteractiveLane]:
    """The step for one queue."""
    return type(f"{queue.capitalize()}Lane", (InteractiveLane,), {"queue": queue})
