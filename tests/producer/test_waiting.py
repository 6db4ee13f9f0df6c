"""The sentence of a job that stands still: what it waits for, and what to start."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from producer.ingest.job_progress import STUCK_SECONDS, JobProgress
from producer.ingest.window import Window
from tasks.ledger import Ledger
from tasks.queues import POINTS, UNACKED
from tasks.registry import announce, report_fault
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, TARGET, take_all


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
