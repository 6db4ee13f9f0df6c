"""Queues that a worker takes only once it can do what waits in them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis

from tasks.app import app
from tasks.messages import SCHEMA
from tasks.queues import FILES, FILES_LATER, QUERIES
from tasks.registry import ready
from tests.conftest import ROOT
from tests.tasks.tiny_worker import ECHO, HOLD
from tests.until import until
from tests.workers.late_worker import PREPARES

Worker = subprocess.Popen[str]


@pytest.fixture
def worker(client: redis.Redis, redis_process: str) -> Iterator[Worker]:
    """A worker that is ready and has prepared nothing."""
    env = {**os.environ, "DARKROOM__BROKER__URL": redis_process, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.workers.late_worker", "late"],
        cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        until(lambda: ready(client).get("late") == process.pid, "the worker to be ready")
        yield process
        process.kill()


def ask(value: int, queue: str) -> "object":
    return app.send_task(
        ECHO, kwargs={"schema": SCHEMA, "target": ["pictures"], "value": value}, queue=queue, ignore_result=False
    )


def answer(asked: "object") -> object:
    return asked.get(timeout=60)["value"]  # type: ignore[attr-defined]  # Celery has no types


def test_questions_are_answered_and_nothing_is_prepared_until_a_message_waits(
    client: redis.Redis, worker: Worker
) -> None:
    assert answer(ask(1, QUERIES)) == 1
    assert not client.exists(PREPARES)
    waiting = ask(2, FILES)
    until(lambda: client.llen(PREPARES) == 1, "it to prepare")
    assert answer(ask(3, QUERIES)) == 3
    assert client.llen(FILES) == 1
    client.rpush("go", "on")
    assert answer(waiting) == 2
    assert answer(ask(4, FILES)) == 4
    assert client.llen(PREPARES) == 1


def test_a_worker_that_cannot_prepare_ends_with_the_sentence_and_its_exit_code_and_has_taken_nothing(
    client: redis.Redis, worker: Worker
) -> None:
    ask(1, FILES)
    client.rpush("go", "fail")
    _, errors = worker.communicate(timeout=60)
    assert errors.splitlines()[-1] == "error: models.clip is no checkpoint."
    assert worker.returncode == 2
    assert client.llen(FILES) == 1


def test_a_worker_that_is_told_to_stop_does_not_wait_for_what_it_prepares(client: redis.Redis, worker: Worker) -> None:
    ask(1, FILES)
    until(lambda: client.llen(PREPARES) == 1, "it to prepare")
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert client.llen(FILES) == 1


def test_a_connection_that_was_lost_takes_all_queues_again(client: redis.Redis, worker: Worker) -> None:
    client.rpush("go", "on")
    assert answer(ask(1, FILES)) == 1
    for connection in client.client_list():
        if connection["id"] != str(client.client_id()):
            client.client_kill_filter(_id=connection["id"])
    assert answer(ask(2, FILES)) == 2
    assert answer(ask(3, QUERIES)) == 3


def test_a_connection_that_is_lost_as_the_queues_are_taken_keeps_none_of_them_waiting(
    client: redis.Redis, worker: Worker
) -> None:
    client.rpush("go", "lose")
    assert answer(ask(1, FILES)) == 1
    assert answer(ask(2, QUERIES)) == 2
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert "Connection to broker lost" in said
    assert "AttributeError" not in said


@pytest.mark.usefixtures("worker")
def test_what_comes_later_is_prepared_for_when_it_waits_and_the_files_that_come_first_still_go_first(
    client: redis.Redis,
) -> None:
    assert answer(ask(1, FILES_LATER)) == 1
    assert client.lrange(PREPARES, 0, -1) == [b"more"]
    for name in ("a", "b"):
        app.send_task(HOLD, args=[name], queue=FILES)
    until(lambda: client.exists("begun:a", "begun:b") == 2, "both threads to be busy")
    for name, queue in (("later 1", FILES_LATER), ("later 2", FILES_LATER), ("c", FILES), ("d", FILES)):
        app.send_task(HOLD, args=[name], queue=queue)
    for name in ("a", "b"):
        client.rpush(f"let:{name}", "go")
    until(lambda: client.exists("begun:c", "begun:d") == 2, "the files that come first to be taken")
    assert not client.exists("begun:later 1", "begun:later 2")
    for name in ("c", "d", "later 1", "later 2"):
        client.rpush(f"let:{name}", "go")
    until(lambda: client.exists("done:later 1", "done:later 2") == 2, "all to be done")
