"""Runs a Celery worker, with what all kinds of our workers have in common.

Task events are sent in groups, which costs far less and delays Flower only for a moment. An interactive queue has its
own consumer and threads, so that a question never waits until files of an ingest are finished.

docs/architecture.md lists the private names of Celery that this relies on.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

from celery.bootsteps import ConsumerStep, StartStopStep
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from celery.worker.consumer.events import Events
from celery.worker.consumer.tasks import Tasks
from kombu.messaging import Consumer

from settings import load_settings
from tasks.app import app
from tasks.messages import Target
from tasks.queues import role
from tasks.registry import NO_MODELS, node_name
from tasks.rpc.answers import answer_as
from workers.late_queues import LateQueues
from workers.metrics import serve
from workers.presence import sign_in

# Questions that a worker answers at a time, beside its files.
QUESTIONS = 2


def consume(
    name: str,
    queues: Sequence[str],
    threads: int,
    interactive: str | None = None,
    has: Target | None = None,
    device: str = "",
    late: Sequence[LateQueues] = (),
    questions: int = QUESTIONS,
    pool: str = "threads",
) -> None:
    """Consume these queues in their order until SIGTERM, and register this worker as ready when it begins.

    It holds at most `threads` of their messages; the queue `interactive` has `questions` threads of its own.
    `has` is what it may be asked about: by default the collection of the settings, without models. Of `queues` those
    of `late` are taken once they are prepared; what that raises ends the worker. `pool` is Celery's name of a pool of
    threads, or module:class.
    """
    # Celery prints a banner and a farewell that are not log lines; they contain nothing new.
    sys.__stdout__ = open(os.devnull, "w")  # type: ignore[misc]  # noqa: SIM115  # typed as final; open to the end
    settings = load_settings()
    serve(settings, name)
    presence = sign_in(name)
    answer_as(presence.tell(has or NO_MODELS, device))
    worker_ready.connect(lambda **_: presence.ready(), weak=False)
    worker_shutting_down.connect(lambda **_: presence.leave(), weak=False)
    # Celery does not tell its caller: a worker that an error has ended must not seem to have ended well.
    exit_codes: list[int] = []
    worker_shutdown.connect(lambda sender, **_: exit_codes.append(sender.exitcode or 0), weak=False)
    app.steps["consumer"].add(EventBuffer)
    if interactive is not None:
        app.steps["consumer"].add(interactive_consumer(interactive, questions))
        threads += questions
    # Models and libraries are a million objects that stay; the garbage collector need not visit them each time.
    gc.collect()
    gc.freeze()
    # Each file makes a hundred objects that are soon gone; to look for cycles among them took a tenth of a small file.
    gc.set_threshold(5_000, 20, 20)
    app.conf.worker_pool = pool
    app.worker_main(
        ["worker", f"--concurrency={threads}", f"--queues={','.join(queues)}",
         f"--hostname={node_name(name)}", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    )  # fmt: skip
    for each in late:
        each.raise_failure()
    if any(exit_codes):
        sys.exit(max(exit_codes))


FLUSH_SECONDS = 0.2
MAX_BUFFERED_EVENTS = 512


class EventBuffer(StartStopStep):
    """A step of the Celery worker: sends its task events a few times a second instead of in every turn of its loop."""

    requires = (Events,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Begin to buffer; Celery calls this again after each new connection to the broker."""
        self.stop(parent)
        dispatcher = parent.event_dispatcher
        dispatcher.buffer_limit = MAX_BUFFERED_EVENTS
        # Celery's own callback would flush in the next turn of the loop.
        dispatcher.on_send_buffered = None
        self._timer = parent.timer.call_repeatedly(FLUSH_SECONDS, dispatcher.flush)

    def stop(self, parent: Any) -> None:
        """Stop flushing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class InteractiveConsumer(ConsumerStep):
    """A step of the Celery worker that consumes `queue` by its own channel, with its own prefetch count.

    A worker holds at most as many messages as it has threads, from any queue: while it is full of files, it takes no
    question from Redis until a file is finished, which may take a batch of captions. Therefore the worker is started
    without this queue and with `questions` more threads, and holds so many messages fewer of the other queues.
    """

    requires = (Tasks,)
    queue: str
    questions: int

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        parent.initial_prefetch_count -= self.questions

    def start(self, parent: Any) -> None:
        """Consume; Celery calls this again after each new connection to the broker."""
        consumer = Consumer(
            parent.connection.channel(),
            [parent.app.amqp.queues.new_missing(self.queue)],
            accept=parent.app.conf.accept_content,
            on_message=parent.create_task_handler(),
            on_decode_error=parent.on_decode_error,
            prefetch_count=self.questions,
        )
        self.consumers = [consumer]
        consumer.consume()

    def stop(self, parent: Any) -> None:
        """Cancel the consumer; that of a connection that was lost has gone with it."""
        if parent.connection is not None:
            super().stop(parent)

    def shutdown(self, parent: Any) -> None:
        """The same at the end of the worker, when what it holds may still be acknowledged."""
        if parent.connection is not None:
            super().shutdown(parent)


def interactive_consumer(queue: str, questions: int) -> type[InteractiveConsumer]:
    """The class of the step for one queue, of which so many questions are answered at a time."""
    fields = {"queue": queue, "questions": questions}
    return type(f"{role(queue).capitalize()}Lane", (InteractiveConsumer,), fields)
