"""Be a Celery worker: what the workers of all kinds have in common."""

import gc
import os
import sys
from collections.abc import Sequence

from celery.signals import worker_ready

from settings import load_settings
from tasks.app import app, redis_client
from tasks.presence import announce, node_name, own_name
from workers.event_buffer import EventBuffer
from workers.lane import PLACES, lane
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
    worker_ready.connect(lambda **_: announce(client, own_name(name)), weak=False)
    app.steps["consumer"].add(EventBuffer)
    if interactive is not None:
        app.steps["consumer"].add(lane(interactive))
        threads += PLACES
    # Models and libraries are a million objects that stay; without this every search for garbage walks through them.
    gc.collect()
    gc.freeze()
    app.worker_main(
        ["worker", "--pool=threads", f"--concurrency={threads}", f"--queues={','.join(queues)}",
         f"--hostname={node_name(name)}", "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    )  # fmt: skip
