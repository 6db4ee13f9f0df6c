"""The sentence of a job that stands still: what it waits for, and what to start."""

import os
import subprocess
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from producer.ingest.job_progress import STUCK_SECONDS, JobProgress
from producer.ingest.window import Window
from tasks.app import app
from tasks.ledger import Ledger
from tasks.queues import FILES, POINTS, UNACKED
from tasks.registry import announce, node_name, ready, renew_worker, report_fault
from tests.conftest import ROOT
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, TARGET, take_all
from tests.tasks.tiny_worker import SLOW
from tests.until import until
from tests.workers.interactive_worker import PLACES_FOR_FILES


def test_a_job_that_moves_waits_for_nothing(progress: JobProgress, clock: Clock) -> None:
    progress.look()
    clock.passes(STUCK_SECONDS - 1)
    assert progress.what_it_waits_for() is None


def test_without_a_gpu_worker_it_says_how_to_start_one(progress: JobProgress, clock: Clock) -> None:
    clock.passes(STUCK_SECONDS + 1)
    sentence = "10 messages wait in `files` and no GPU worker is up: start `python -m workers gpu`"
    assert progress.what_it_waits_for() == sentence


def test_on_the_local_stack_a_gpu_worker_that_is_not_up_yet_loads_its_models(
    client: redis.Redis, ledger: Ledger, window: Window, clock: Clock
) -> None:
    progress = JobProgress(client, ledger, window, local=True)
    clock.passes(STUCK_SECONDS + 1)
    assert progress.what_it_waits_for() == "the GPU worker is loading its models"


def test_on_a_cluster_a_gpu_worker_that_lives_and_is_not_ready_loads_its_models(
    progress: JobProgress, client: redis.Redis, clock: Clock
) -> None:
    renew_worker(client, "gpu0@a")
    clock.passes(STUCK_SECONDS + 1)
    assert progress.what_it_waits_for() == "the GPU worker is loading its models"


def test_without_a_storage_worker_it_says_how_to_start_one(
    progress: JobProgress, client: redis.Redis, clock: Clock
) -> None:
    take_all()
    client.lpush(POINTS, "a batch", "another")
    clock.passes(STUCK_SECONDS + 1)
    sentence = "2 messages wait in `points`, no storage worker is up: start `python -m workers storage`"
    assert progress.what_it_waits_for() == sentence


def test_a_fault_is_told_in_the_words_of_the_worker(progress: JobProgress, client: redis.Redis, clock: Clock) -> None:
    report_fault(client, "storage", "Qdrant at http://q:6333 does not answer.")
    report_fault(client, "gpu0", "The GPU has no memory left.")
    clock.passes(STUCK_SECONDS + 1)
    sentence = "gpu0: The GPU has no memory left.; storage: Qdrant at http://q:6333 does not answer."
    assert progress.what_it_waits_for() == sentence


def test_with_all_workers_up_it_says_where_the_files_are(
    progress: JobProgress, client: redis.Redis, clock: Clock
) -> None:
    announce(client, "gpu0")
    announce(client, "storage")
    client.hset(UNACKED, mapping={"a": "message", "b": "message"})
    clock.passes(STUCK_SECONDS + 5)
    said = progress.what_it_waits_for()
    assert said is not None
    assert said.startswith(
        "nothing finished for 25 s (10 queued, 2 in work, 0 to be written): slow models may take that long"
    )


def test_the_worker_that_holds_the_files_is_named(
    progress: JobProgress, client: redis.Redis, redis_process: str, clock: Clock, tmp_path: Path
) -> None:
    env = {**os.environ, "DARKROOM__BROKER__URL": redis_process, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.workers.interactive_worker", "gpu0"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        until(lambda: ready(client).get("gpu0") == worker.pid, "the worker to be ready")
        announce(client, "storage")
        take_all()
        for _ in range(PLACES_FOR_FILES):
            app.send_task(SLOW, kwargs={"name": "long", "seconds": 600.0}, queue=FILES)
        until(lambda: client.llen("begun:long") == PLACES_FOR_FILES, "the worker to hold what it can")
        clock.passes(STUCK_SECONDS + 5)
        held = f"(0 queued, 2 in work, 0 to be written; {node_name('gpu0')} holds 2)"
        until(lambda: held in str(progress.what_it_waits_for()), "the worker to answer")
    finally:
        worker.kill()
        worker.wait()


def test_a_storage_worker_that_takes_nothing_is_named(progress: JobProgress, client: redis.Redis, clock: Clock) -> None:
    announce(client, "gpu0")
    announce(client, "storage")
    take_all()
    client.lpush(POINTS, "a batch")
    client.hset(UNACKED, mapping={"a": "message"})
    clock.passes(STUCK_SECONDS + 5)
    said = progress.what_it_waits_for()
    assert said is not None
    assert said.startswith("the storage worker has written nothing for 25 s (0 queued, 1 in work, 1 to be written): ")
    assert "storage.log" in said


def test_a_broker_that_is_away_is_noted_said_and_forgotten_when_it_is_back(
    redis_process: str, client: redis.Redis, clock: Clock
) -> None:
    impatient = redis.Redis.from_url(redis_process, retry=Retry(NoBackoff(), 0))
    ledger = Ledger(impatient, "job")
    ledger.open(ROOT_URI)
    progress = JobProgress(impatient, ledger, Window(ledger, TARGET, ROOT_URI, 10, 1), local=False)
    pool = impatient.connection_pool
    socket = pool.connection_kwargs["path"]

    def connects_to(path: str) -> None:
        pool.connection_kwargs["path"] = path
        pool.disconnect()
        pool.reset()

    progress.look()
    connects_to(f"{socket}.gone")
    clock.passes(1)
    progress.look()
    clock.passes(7)
    progress.look()
    assert progress.what_it_waits_for() == "Redis does not answer since 7 s; waiting for it"
    connects_to(socket)
    clock.passes(1)
    progress.look()
    assert progress.broker_away_since is None
    assert progress.what_it_waits_for() is None
