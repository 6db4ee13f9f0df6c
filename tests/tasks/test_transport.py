"""The transport under real workers: leases that last as long as the work, and nothing lost by a kill or a restart."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from celery import Celery

from settings import load_settings
from tasks.app import app, make_app
from tasks.messages import SCHEMA
from tasks.queues import FILES, POINTS, QUEUES, STORE_POINTS, UNACKED
from tests.conftest import redis_server
from tests.tasks.tiny_worker import HOLD, SLOW
from tests.tasks.workers import PATIENT, Workers, workers_on
from tests.until import is_alive, until

# kombu looks for leases that have run out every five seconds.
LOOKS_EVERY = 5


@pytest.fixture
def workers(client: redis.Redis, redis_process: str, tmp_path: Path) -> Iterator[Workers]:
    """Tiny workers on the private Redis."""
    with workers_on(redis_process, tmp_path) as started:
        yield started


def send_slow(name: str, seconds: float, through: Celery = app) -> None:
    through.send_task(SLOW, kwargs={"name": name, "seconds": seconds}, queue=FILES)


@pytest.mark.parametrize("queue", QUEUES)
def test_a_message_reaches_its_queue_also_after_redis_has_lost_all_its_data(client: redis.Redis, queue: str) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        app.send_task(SLOW, kwargs={"name": "before", "seconds": 0}, queue=queue, producer=producer)
        assert client.llen(queue) == 1
        client.flushall()
        app.send_task(SLOW, kwargs={"name": "after", "seconds": 0}, queue=queue, producer=producer)
    assert client.llen(queue) == 1


def test_a_task_that_outlasts_its_lease_by_far_runs_once(workers: Workers, client: redis.Redis) -> None:
    workers.lease = PATIENT
    workers.start("one")
    workers.start("two")
    send_slow("long", PATIENT + LOOKS_EVERY + 1)
    until(lambda: client.llen("done:long"), "the task to end")
    assert client.llen("begun:long") == 1
    until(lambda: client.hlen(UNACKED) == 0, "the ack")
    assert client.llen(FILES) == 0


def test_after_a_kill_another_worker_gets_what_was_held_soon_after_the_lease_has_run_out(
    workers: Workers, client: redis.Redis
) -> None:
    # Both before the work, which would end while a second one starts on a busy machine.
    started = {worker.pid: worker for worker in (workers.start("one"), workers.start("another"))}
    app.send_task(HOLD, args=["held"], queue=FILES)
    until(lambda: client.llen("begun:held"), "a worker to begin")
    # It is killed while it holds the task, which ends only when this test says so.
    first = started.pop(int(client.lindex("begun:held", 0) or 0))
    (second,) = started.values()
    first.kill()
    # The defaults of kombu would take 100 s and more, longer than this waits.
    until(lambda: client.llen("begun:held") == 2, "the second worker to begin")
    client.rpush("let:held", "go")
    until(lambda: client.llen("done:held"), "the second worker to end")
    assert [int(pid) for pid in client.lrange("done:held", 0, -1)] == [second.pid]
    until(lambda: client.hlen(UNACKED) == 0, "the ack")
    assert client.llen(FILES) == 0


def test_a_worker_that_is_told_to_stop_finishes_what_it_holds_and_hands_back_the_rest(
    workers: Workers, client: redis.Redis
) -> None:
    workers.lease = PATIENT
    worker = workers.start("leaving")
    for number in range(6):
        send_slow(f"task{number}", 1.5)
    until(lambda: client.keys("begun:*"), "the first to begin")
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=60)
    begun = len(client.keys("begun:*"))
    assert begun == len(client.keys("done:*"))
    assert client.llen(FILES) == 6 - begun
    assert client.hlen(UNACKED) == 0


def test_a_message_that_no_release_puts_into_this_queue_is_dropped_with_a_line_in_the_log(
    workers: Workers, client: redis.Redis
) -> None:
    workers.start("older")
    app.send_task(STORE_POINTS, kwargs={"schema": 999, "job": "of tomorrow"})
    sentence = f"A message of schema 999 reached a worker that knows schema {SCHEMA}: run the same release everywhere."
    until(lambda: sentence in workers.log("older"), "the worker to refuse it")
    until(lambda: client.hlen(UNACKED) == 0, "the ack")
    assert client.llen(POINTS) == 0


class RestartableRedis:
    """A Redis with an append-only file, as the local stack starts it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> redis.Redis:
        """Start it; returns a client once it answers."""
        own = ["--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--dir", str(self._folder)]
        durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        self._process = subprocess.Popen([redis_server(), *own, *durable], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)

        def answers() -> bool:
            with suppress(redis.RedisError):
                return bool(client.ping())
            return False

        until(answers, "Redis to answer")
        return client

    def stop(self) -> None:
        """Stop it as the local stack does."""
        if self._process:
            self._process.terminate()
            self._process.wait()


@pytest.fixture
def restartable() -> Iterator[RestartableRedis]:
    """A Redis of the test's own, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="darkroom-tests-") as folder:
        server = RestartableRedis(Path(folder))
        yield server
        server.stop()


def test_a_restart_of_redis_ends_no_worker_and_loses_no_task(restartable: RestartableRedis, tmp_path: Path) -> None:
    client = restartable.start()
    settings = load_settings()
    broker = settings.broker.model_copy(update={"url": restartable.url})
    sender = make_app(settings.model_copy(update={"broker": broker}))
    with workers_on(restartable.url, tmp_path) as workers:
        worker = workers.start("patient")
        for number in range(5):
            send_slow(f"before{number}", 3, sender)
        until(lambda: len(client.keys("begun:*")) >= 2, "the first two to begin")
        restartable.stop()
        client = restartable.start()
        send_slow("after", 0, sender)
        wanted = {f"done:before{number}".encode() for number in range(5)} | {b"done:after"}
        until(lambda: wanted <= set(client.keys("done:*")), "every task to be done")
        assert is_alive(worker.pid)
        assert worker.poll() is None
        until(lambda: client.hlen(UNACKED) == 0 and client.llen(FILES) == 0, "the acks")
    sender.close()
