"""A job as one task in Flower: custom task events with its progress; its files are its children."""

import logging
import time
from types import TracebackType
from typing import Any, Self

from celery import Celery

from settings.redis_errors import redis_errors
from tasks.queues import HTTP_INGEST

log = logging.getLogger("darkroom.producer")

EVERY_SECONDS = 1.0


class JobEvents:
    """Sends the events of one job.

    Flower shows the last part of an event's type as the state and its `result`, so `task-progress` becomes PROGRESS.
    Every event says all there is to know about the job, because Flower may be started, or forget the job, in between.
    Events are a view and not a count: one that cannot be sent is left out, and never stops an ingest.
    """

    def __init__(self, app: Celery, job: str, root: str) -> None:
        self._app = app
        self._sent = 0.0
        self._ended = False
        now = time.time()
        self._facts = {
            "uuid": job,
            "name": HTTP_INGEST,
            "args": repr((root,)),
            "kwargs": "{}",
            "root_id": job,
            "received": now,
            "started": now,
        }
        self._send("task-received")
        self._send("task-started")

    def progress(self, text: str) -> None:
        """Show how far the job is, at most once in EVERY_SECONDS."""
        if time.monotonic() - self._sent >= EVERY_SECONDS:
            self._sent = time.monotonic()
            self._send("task-progress", result=text)

    def end(self, text: str, seconds: float, interrupted: bool = False) -> None:
        """Show how the job ended: as SUCCESS, or as REVOKED where it was interrupted."""
        if interrupted:
            self._send("task-revoked", result=text, terminated=True, signum="SIGINT", expired=False)
        else:
            self._send("task-succeeded", result=text, runtime=seconds)
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A job that is left without an end is FAILURE, or REVOKED by Ctrl-C: nobody else would say it."""
        if error is None or self._ended:
            return
        if isinstance(error, Exception):
            self._send("task-failed", exception=str(error), traceback="")
        else:
            self.end("interrupted", 0.0, interrupted=True)

    def _send(self, kind: str, **fields: Any) -> None:
        try:
            with self._app.events.default_dispatcher(hostname="producer") as events:
                events.send(kind, **self._facts, **fields)
        except redis_errors() as error:
            log.debug("event %s of job %s was not sent: %s", kind, self._facts["uuid"], error)
