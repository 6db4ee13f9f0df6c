"""A Celery worker with the project's app and a few tiny tasks; run by `python -m tests.tasks.tiny_worker NAME`."""

import os
import sys
import time
from typing import Any

# Registers the real task that writes points; it refuses messages of another release before it touches a catalog.
import workers.storage.points  # noqa: F401
from settings import load_settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.broker import redis_client
from tasks.queues import FILES, POINTS
from tasks.registry import announce
from tasks.rpc import reply

SLOW = "tests.slow"
ECHO = "tests.echo"
REFUSE = "tests.refuse"
BREAK = "tests.break"
ERRORS = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing, "DarkroomError": DarkroomError}


class DiskFull(ServiceMissing):
    """A kind of ServiceMissing that only this worker knows."""


@app.task(name=SLOW, acks_late=True)
def slow(name: str, seconds: float) -> None:
    """Note the beginning and the end, with the process, and take a while in between."""
    client = redis_client(load_settings())
    client.rpush(f"begun:{name}", os.getpid())
    time.sleep(seconds)
    client.rpush(f"done:{name}", os.getpid())


@app.task(name=ECHO, ignore_result=False, acks_late=False)
def echo(value: Any) -> dict[str, Any]:
    """Answer with the question."""
    return reply(lambda: value)


@app.task(name=REFUSE, ignore_result=False, acks_late=False)
def refuse(kind: str, sentence: str) -> dict[str, Any]:
    """Answer with an error."""

    def work() -> None:
        raise {**ERRORS, "DiskFull": DiskFull}[kind](sentence)

    return reply(work)


@app.task(name=BREAK, ignore_result=False, acks_late=False)
def break_down() -> dict[str, Any]:
    """Answer with an error that nobody foresaw."""
    return reply(lambda: 1 / 0)


if __name__ == "__main__":
    from celery.signals import worker_ready

    name = sys.argv[1]
    worker_ready.connect(lambda **_: announce(redis_client(load_settings()), name), weak=False)
    app.worker_main(
        ["worker", "--pool=threads", "--concurrency=2", f"--queues={FILES},{POINTS}", f"--hostname={name}@%h",
         "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    )  # fmt: skip
