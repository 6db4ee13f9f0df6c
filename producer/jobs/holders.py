"""Which workers hold the messages of the queues: asked of the workers themselves, beside a job that does not move."""

import threading
import time
from contextlib import suppress

from celery import Celery

from settings.redis_errors import redis_errors

ANSWER_SECONDS = 1.0
ASK_AGAIN_SECONDS = 10.0


class Holders:
    """Asks all workers what they hold, by a thread, so that nobody waits for those that do not answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._asked: float | None = None
        self._held: dict[str, int] = {}

    def sentence(self) -> str:
        """Who holds how much, as far as is known: `gpu0@host holds 96`; empty before the first answer."""
        now = time.monotonic()
        if self._asked is None or now - self._asked > ASK_AGAIN_SECONDS:
            self._asked = now
            threading.Thread(target=self._ask, name="holders", daemon=True).start()
        return ", ".join(f"{name} holds {count}" for name, count in sorted(self._held.items()) if count)

    def _ask(self) -> None:
        with suppress(*redis_errors()):
            answers = self._app.control.inspect(timeout=ANSWER_SECONDS).active() or {}
            self._held = {name: len(tasks) for name, tasks in answers.items()}
