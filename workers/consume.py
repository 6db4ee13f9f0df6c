"""Be a Celery worker: what the workers of all kinds have in common.

Task events are sent in groups, so Flower hears of everything a moment later and for a fraction of the price. An
interactive queue has a consumer of its own, so that a question never waits for a place behind an ingest.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

from celery.bootsteps import ConsumerStep, StartStopStep
from celery.signals import worker_ready
from celery.worker.consumer.events import Events
from celery.worker.consumer.tasks import Tasks
from kombu.messaging import Consumer

from settings import load_settings
from tasks.app import app
from tasks.broker import redis_client
from tasks.registry import announce, node_name, worker_name
from workers.metrics import serve


def consume(name: str, queues: Sequence[str], threads: int, interactive: str | None = None) -> None:
    """Take messages from these queues, the first ones first, until SIGTERM; say when it begins.

    At most `threads` messages at a time; those of the queue `interactive` have places of their own beside them.
    """
    # Celery prints its banner and its farewell past the log; both say nothing that the log does not.
    sys.__stdout__ = open(os.devnull, "w")  # type: ignore[misc]  # noqa: SIM115
    settings = load_settings()
    serve(settings, name)
    client = redis_client(settings)
    worker_ready.connect(lambda **_: announce(client, worker_name(name)), weak=False)
    app.steps["consumer"].add(EventBuffer)
    if interactive is not None:
        app.steps["consumer"].add(interactive_consumer(interactive))
        threads += INTERACTIVE_THREADS
    # Models and libraries are a million objects that stay; without this every search for garbage walks through them.
    gc.collect()
    gc.freeze()
    app.worker_main(
        ["worker", "--pool=threads", f"--concurrency={threads}", f"--queues={','.join(queues)}",
         f"--hostname={node_name(name)}", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    )  # fmt: skip


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


INTERACTIVE_THREADS = 2


class InteractiveConsumer(ConsumerStep):
    """A step of the Celery worker that takes `queue` by a channel and places of its own.

    A worker holds at most as many messages as it has threads, whatever queue they come from: while it is full of files,
    it does not even take a question from Redis until one of them is finished, which may be a batch of captions later.
    The worker is started with INTERACTIVE_THREADS threads more than it is to hold of the other messages, and without
    this queue.
    """

    requires = (Tasks,)
    queue: str

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        parent.initial_prefetch_count -= INTERACTIVE_THREADS

    def start(self, parent: Any) -> None:
        """Consume; called again after every new connection to the broker."""
        consumer = Consumer(
            parent.connection.channel(),
            [parent.app.amqp.queues.new_missing(self.queue)],
            accept=parent.app.conf.accept_content,
            on_message=parent.create_task_handler(),
            on_decode_error=parent.on_decode_error,
            prefetch_count=INTERACTIVE_THREADS,
        )
        self.consumers = [consumer]
        consumer.consume()


def interactive_consumer(queue: str) -> type[InteractiveConsumer]:
    """The step for one queue."""
    return type(f"{queue.capitalize()}Lane", (InteractiveConsumer,), {"queue": queue})
