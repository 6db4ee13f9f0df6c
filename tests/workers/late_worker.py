"""A worker that takes `files` once the list "go" has an entry, and `files.later` when a message waits there.

An entry "fail" is what it cannot prepare; with "lose" its connection is lost as it takes the first of these queues.
Run by `python -m tests.workers.late_worker NAME`.
"""

import sys
from typing import Any

from celery.worker.consumer import Consumer

import tests.tasks.tiny_worker  # noqa: F401, its import registers the tasks
from settings import load_settings
from settings.command_line import run
from settings.errors import WrongUse
from tasks.broker import redis_client
from tasks.queues import FILES, FILES_LATER, QUERIES
from workers.consume import consume
from workers.late_queues import LateQueues

PREPARES = "prepares"


def prepare() -> None:
    """Say that it has begun, and wait until the test lets it end."""
    client = redis_client(load_settings())
    client.rpush(PREPARES, 1)
    client.blmove("go", "gone", 0)
    if client.lindex("gone", 0) == b"fail":
        raise WrongUse("models.clip is no checkpoint.")
    if client.lindex("gone", 0) == b"lose":
        lose_connection()


def lose_connection() -> None:
    """Have the consumer meet the end of its connection as it takes the first late queue."""
    take = Consumer.add_task_queue

    def lost(consumer: Consumer, queue: str, **options: Any) -> None:
        Consumer.add_task_queue = take
        raise ConnectionError("Connection closed by server.")

    Consumer.add_task_queue = lost


def prepare_more() -> None:
    """Say that it has."""
    redis_client(load_settings()).rpush(PREPARES, "more")


if __name__ == "__main__":
    import click

    name = sys.argv.pop()

    def work() -> None:
        """Take `files` late, and `files.later` later still."""
        files = LateQueues([FILES], prepare)
        later = LateQueues([FILES_LATER], prepare_more, files)
        consume(name, [FILES, FILES_LATER], 2, interactive=QUERIES, late=[files, later])

    run(click.Command("late", callback=work), "late")
