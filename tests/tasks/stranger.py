"""Somebody else's Celery application on our Redis, on kombu's own transport: `python -m tests.tasks.stranger URL`."""

import sys
import time

from celery import Celery
from celery.signals import worker_ready

SLOW = "stranger.slow"
READY = "stranger:ready"


def make_stranger(url: str) -> Celery:
    """Its application: one second after which what a worker holds is given to another one."""
    own = Celery("stranger", broker=url.replace("unix://", "redis+socket://"))
    own.conf.update(
        broker_transport_options={"visibility_timeout": 3600},
        task_acks_late=True,
        worker_hijack_root_logger=False,
        task_default_queue="files",
    )

    @own.task(name=SLOW)
    def slow(name: str, seconds: float) -> None:
        """Note the beginning and the end, and take a while in between."""
        client = own.connection_for_write().channel().client
        client.rpush(f"begun:{name}", 1)
        time.sleep(seconds)
        client.rpush(f"done:{name}", 1)

    return own


if __name__ == "__main__":
    stranger = make_stranger(sys.argv[1])
    worker_ready.connect(lambda **_: stranger.connection_for_write().channel().client.set(READY, 1), weak=False)
    # With mingle: at its start it asks all workers that hear its broadcast.
    stranger.worker_main(["worker", "--pool=threads", "--concurrency=1", "--loglevel=INFO", "-n", "stranger@%h"])
