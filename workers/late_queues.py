"""Queues that a worker takes only once it can do what waits in them: what that needs is loaded when a message waits."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from celery.signals import celeryd_after_setup, worker_ready

from settings import load_settings
from tasks.broker import redis_client

LOOK_SECONDS = 0.2
_SELECTING = threading.Lock()


class LateQueues:
    """Holds `queues` back from the Celery worker of this process; `prepare` runs when a message waits in one of them.

    Then the worker takes them like its other queues, and after those of `first`, which `prepare` has prepared as well:
    of several queues it takes from those that it took up first. Where `prepare` fails the worker ends, as if it had
    been told to stop, and `raise_failure` raises the error; no message of these queues was taken.
    """

    def __init__(self, queues: Sequence[str], prepare: Callable[[], None], first: "LateQueues | None" = None) -> None:
        self._queues = self._held = list(queues)
        self._first = first
        self._prepare = prepare
        self._client = redis_client(load_settings())
        self._failure: Exception | None = None
        celeryd_after_setup.connect(self._hold_back, weak=False)
        worker_ready.connect(self._begin, weak=False)

    def raise_failure(self) -> None:
        """Raise the error that has ended this worker, if that is why it has ended."""
        if self._failure is not None:
            raise self._failure

    def _hold_back(self, instance: Any, **_: Any) -> None:
        instance.app.amqp.queues.deselect(self._queues)

    def _begin(self, sender: Any, **_: Any) -> None:
        # Its work may take minutes, and a worker that is told to stop meanwhile must not wait for it.
        threading.Thread(target=self._run, args=(sender,), name="late queues", daemon=True).start()

    def _run(self, consumer: Any) -> None:
        while not any_waits(self._client, self._queues):
            time.sleep(LOOK_SECONDS)
        try:
            self._prepare()
        except Exception as error:  # raised again in the main thread, which ends by it
            self._failure = error
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self._take(consumer)

    def _take(self, consumer: Any) -> None:
        queues = consumer.app.amqp.queues
        # In their order, and before a connection that is lost may end the rest: what is selected a new one consumes.
        with _SELECTING:
            for late in (self._first, self):
                if late is not None:
                    held, late._held = late._held, []
                    for queue in held:
                        queues.select_add(queues[queue])
        consumer.call_soon(_take_selected, consumer)


def _take_selected(consumer: Any) -> None:
    """Take all queues that are selected; in the thread of the consumer, which alone may use its connection.

    What other threads give the consumer to do it does in any order, so each time is for all queues.
    """
    for queue in list(consumer.app.amqp.queues.consume_from):
        consumer.add_task_queue(queue)


def any_waits(client: redis.Redis, queues: Sequence[str]) -> bool:
    """Whether a message waits in one of these queues; False while Redis does not say."""
    with suppress(redis.RedisError):
        return any(client.llen(queue) for queue in queues)
    return False
