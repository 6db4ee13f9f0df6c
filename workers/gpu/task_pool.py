"""The thread pool of a GPU worker: a message of files takes a thread only once its files are done.

Each file is a task of its own, and a hundred of them are in flight. A thread for each would sleep nearly all of the
time, and on a busy machine it costs more to wake up a thread that has slept than to decode a small picture.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import apply_target
from celery.concurrency.thread import TaskPool as ThreadTaskPool

from tasks.queues import PROCESS_FILES
from workers.gpu.tasks import BEGUN, opened, start

# What Celery wants to hear of: the beginning (process id, time), and the end (failed, result, seconds).
Accepted = Callable[[int, float], None]
Ended = Callable[[tuple[int, Any, float]], None]


class TaskPool(ThreadTaskPool):
    """Celery's own pool for all other tasks, and for files that must be done in their own thread.

    The task of files that are done runs like any other: it may fail, put its message back, or have more to read. Where
    nothing is left but to say that all went well, which blocks nobody, one thread does so for all.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ending = ThreadPoolExecutor(1, "ending")
        self._under_way = 0
        self._changed = threading.Condition()

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        callback: Ended | None = None,
        accept_callback: Accepted | None = None,
        **options: Any,
    ) -> Any:
        """Begin the files of a message, or run any other task in a thread."""
        name, _, request, *_ = args
        delivery = opened(request) if name == PROCESS_FILES else None
        if delivery is None or callback is None or accept_callback is None:
            return super().on_apply(target, args, kwargs, callback, accept_callback, **options)
        begun = time.monotonic()
        accept_callback(os.getpid(), begun)

        def ended(result: tuple[int, Any, float]) -> None:
            failed, value, _ = result
            callback((failed, value, time.monotonic() - begun))

        def run() -> None:
            pool = self._ending if delivery.is_smooth else self.executor
            pool.submit(apply_target, target, args, kwargs, ended).add_done_callback(self._count_down)

        request[BEGUN] = delivery
        with self._changed:
            self._under_way += 1
        start(delivery, run)
        return None

    def on_stop(self) -> None:
        """Wait for the files that are under way, as Celery's own pool waits for its threads."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
        self._ending.shutdown()
        super().on_stop()

    def _count_down(self, _: Future[Any]) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()
