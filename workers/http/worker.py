"""The process that ingests folders for other programs: a worker without models, where the pictures are."""

from typing import Any

from celery.signals import worker_shutting_down

import workers.http.directory  # noqa: F401, its import registers the task
from settings import load_settings
from tasks.queues import INGEST
from workers.consume import consume
from workers.http.directory import stopping

NAME = "ingest"


def run() -> None:
    """Consume until SIGTERM; what runs then is left in the queues and goes on with the next worker."""
    consume(NAME, [INGEST], load_settings().flower.ingests)


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
