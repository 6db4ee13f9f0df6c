"""A question beside a worker that is full: it is answered while all the long work still runs."""

import os
import subprocess
import sys
from pathlib import Path

import redis

from tasks.app import app
from tasks.messages import SCHEMA
from tasks.queues import FILES, QUERIES
from tasks.registry import ready
from tests.conftest import ROOT
from tests.tasks.tiny_worker import ECHO, SLOW
from tests.until import until
from tests.workers.interactive_worker import PLACES_FOR_FILES, QUESTIONS

LONGER_THAN_THE_TEST = 600.0


def test_a_question_is_answered_while_the_worker_is_full_and_takes_no_place_of_a_file(
    client: redis.Redis, redis_process: str, tmp_path: Path
) -> None:
    env = {**os.environ, "DARKROOM__BROKER__URL": redis_process, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.interactive_worker", "one"], cwd=ROOT, env=env, stdout=log, stderr=log
        )
    try:
        until(lambda: ready(client).get("one") == worker.pid, "the worker to be ready")
        for _ in range(2 * PLACES_FOR_FILES):
            app.send_task(SLOW, kwargs={"name": "long", "seconds": LONGER_THAN_THE_TEST}, queue=FILES)
        until(lambda: client.llen("begun:long") == PLACES_FOR_FILES, "the worker to be full")
        for question in range(5):
            asked = app.send_task(
                ECHO,
                kwargs={"schema": SCHEMA, "target": ["pictures"], "value": question},
                queue=QUERIES,
                ignore_result=False,
            )
            assert asked.get(timeout=60) == {"value": question}
        assert client.llen("begun:long") == PLACES_FOR_FILES
        assert client.llen("done:long") == 0
        assert client.llen(FILES) == PLACES_FOR_FILES
        for _ in range(QUESTIONS):
            app.send_task(SLOW, kwargs={"name": "asked", "seconds": LONGER_THAN_THE_TEST}, queue=QUERIES)
        until(lambda: client.llen("begun:asked") == QUESTIONS, "as many questions as it answers at a time")
    finally:
        worker.kill()
        worker.wait()


BREAKS = """
from celery.bootsteps import StartStopStep
from tasks.app import app
from tasks.queues import FILES
from workers.consume import consume

class Breaks(StartStopStep):
    def start(self, parent):
        raise RuntimeError("nobody foresaw this")

app.steps["consumer"].add(Breaks)
consume("breaks", [FILES], 1)
"""


def test_a_worker_that_an_error_ends_does_not_end_well(client: redis.Redis, redis_process: str) -> None:
    env = {**os.environ, "DARKROOM__BROKER__URL": redis_process, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", BREAKS], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 1
    assert "nobody foresaw this" in ended.stderr
