"""A Celery worker with the project's app and a few tiny tasks; run by `python -m tests.tasks.tiny_worker NAME`."""

import os
import sys
import time
from typing import Any

# Registers the real task that writes points; it refuses messages of another release before it touches a catalog.
import workers.storage.points  # noqa: F401  # registered by the import
from settings import load_settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import app
from tasks.broker import redis_client
from tasks.messages import Target
from tasks.queues import FILES, POINTS
from tasks.registry import announce, this_process
from tasks.rpc.answers import answer_as, answers

SLOW = "tests.slow"
HOLD = "tests.hold"
ECHO = "tests.echo"
REFUSE = "tests.refuse"
BREAK = "tests.break"
COUNT = "tests.count"
FAIL = "tests.fail"
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


@app.task(name=HOLD, acks_late=True)
def hold(name: str) -> None:
    """Note the beginning, and go on until the test puts something into the list "let:NAME"."""
    client = redis_client(load_settings())
    client.rpush(f"begun:{name}", os.getpid())
    client.blpop([f"let:{name}"], 60)
    client.rpush(f"done:{name}", os.getpid())


@answers(ECHO)
def echo(value: Any) -> Any:
    """Answer with the question."""
    return value


@answers(REFUSE)
def refuse(kind: str, sentence: str) -> None:
    """Answer with an error."""
    raise {**ERRORS, "DiskFull": DiskFull}[kind](sentence)


@app.task(name=FAIL, ignore_result=False)
def fail(**_: Any) -> None:
    """Fail as a task that answers no question."""
    raise ValueError("bad")


@answers(BREAK)
def break_down() -> None:
    """Answer with an error that nobody foresaw."""
    raise ZeroDivisionError("division\nby zero")


@answers(COUNT, once=True)
def count(name: str, seconds: float) -> int:
    """Count how often this question was answered; it takes a while, or until something is in the list "let:NAME"."""
    client = redis_client(load_settings())
    times = client.incr(f"counted:{name}")
    client.blpop([f"let:{name}"], seconds)
    return int(times)


if __name__ == "__main__":
    from celery.signals import worker_ready

    name = sys.argv[1]
    has = Target("pictures", "a-clip", "a-blip")
    answer_as(this_process(name, has))

    def ready(**_: Any) -> None:
        announce(redis_client(load_settings()), name, has)

    worker_ready.connect(ready, weak=False)
    app.worker_main(
        ["worker", "--pool=threads", "--concurrency=2", f"--queues={FILES},{POINTS}", f"--hostname={name}@%h",
         "--without-gossip", "--without-mingle", "--loglevel=WARNING"]
    )  # fmt: skip
