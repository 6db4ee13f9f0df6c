"""The process of the storage worker: a Celery worker on the thread pool, and the only process with the catalog."""

import json
import logging
import threading
from contextlib import suppress
from typing import Any

import redis
from celery.signals import worker_shutting_down

# The imports register the tasks that this worker serves.
import workers.storage.concepts
import workers.storage.duplicates.search
import workers.storage.move
import workers.storage.ordered
import workers.storage.points
import workers.storage.queries
import workers.storage.ranking.unrelated
from settings import Settings, load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.checkpoint import target_of
from tasks.messages import Target
from tasks.queues import LAST_SEEN, POINTS, QUERIES
from workers.consume import consume
from workers.presence import sign_in
from workers.storage.owner import owned
from workers.storage.places import LatePlaces
from workers.storage.state import WORKER_NAME, catalog, client, idle_seconds, initialize, stopping

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
    # From here on the collection may change, so only an end in good order says again what it is.
    client().delete(LAST_SEEN)
    with owned(settings, WORKER_NAME):
        maintenance = threading.Thread(target=_maintain_when_idle, name="maintain", daemon=True)
        maintenance.start()
        try:
            consume(WORKER_NAME, [POINTS], THREADS, interactive=QUERIES, has=_has(settings))
        finally:
            stopping.set()
            maintenance.join()
            if settings.broker.url == "embedded":
                with suppress(redis.RedisError, DarkroomError):  # who asks then has a storage worker started
                    client().set(LAST_SEEN, json.dumps(workers.storage.queries.collection_facts()))
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
    late_places = LatePlaces()
    while not stopping.wait(1.0):
        try:
            while idle_seconds() >= IDLE_SECONDS and (late_places.step(catalog()) or catalog().maintain()):
                if stopping.wait(0.1):
                    break
        except DarkroomError as error:  # it only makes the next start faster; a later idle moment tries again
            log.warning("%s", error)
            stopping.wait(60)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
