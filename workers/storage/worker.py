"""The process of the storage worker: a Celery worker on the thread pool, and the only process with the catalog."""

import logging
import threading
from contextlib import suppress
from typing import Any

from celery.signals import worker_shutting_down

# The imports register the tasks that this worker serves.
import workers.storage.duplicates
import workers.storage.move
import workers.storage.points
import workers.storage.queries  # noqa: F401
from settings import Settings, load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.checkpoint import target_of
from tasks.messages import Target
from tasks.queues import POINTS, QUERIES
from workers.consume import consume
from workers.presence import sign_in
from workers.storage.owner import owned
from workers.storage.state import WORKER_NAME, catalog, idle_seconds, initialize, stopping

log = logging.getLogger("darkroom.storage")

THREADS = 4
IDLE_SECONDS = 5.0


def run() -> None:
    """Open the catalog, then consume until SIGTERM.

    Raises ServiceMissing if Qdrant does not answer or is in use, or if another embedded catalog serves the collection.
    """
    settings = load_settings()
    sign_in(WORKER_NAME)
    initialize(settings)
    with owned(settings, WORKER_NAME):
        maintenance = threading.Thread(target=_maintain_when_idle, name="maintain", daemon=True)
        maintenance.start()
        try:
            consume(WORKER_NAME, [POINTS], THREADS, interactive=QUERIES, has=_has(settings))
        finally:
            stopping.set()
            maintenance.join()
            catalog().close()


def _has(settings: Settings) -> Target:
    """The collection; in the stack of one machine also the models that its GPU workers will load.

    These start only when work waits for them, and an ingest for other models is refused before it enqueues anything.
    """
    if settings.broker.url == "embedded":
        with suppress(WrongUse):  # a checkpoint folder that is missing is the GPU worker's to report
            return target_of(settings)
    return Target(settings.qdrant.collection)


def _maintain_when_idle() -> None:
    while not stopping.wait(1.0):
        try:
            if idle_seconds() >= IDLE_SECONDS:
                catalog().maintain()
        except DarkroomError as error:  # it only makes the next start faster; a later idle moment tries again
            log.warning("%s", error)
            stopping.wait(60)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
