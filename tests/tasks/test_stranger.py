"""Another Celery application on the same database, on kombu's own transport: neither disturbs the other."""

import subprocess
import sys
from pathlib import Path

import redis

from tasks.app import app
from tasks.queues import FILES, QUEUES
from tests.conftest import ROOT
from tests.tasks.stranger import READY, SLOW, make_stranger
from tests.tasks.test_transport import LOOKS_EVERY, send_slow
from tests.tasks.workers import PATIENT, workers_on
from tests.until import until


def test_a_stranger_on_the_same_redis_works_beside_ours(
    client: redis.Redis, redis_process: str, tmp_path: Path
) -> None:
    with workers_on(redis_process, tmp_path) as workers:
        workers.lease = PATIENT
        workers.start("ours")
        # It starts after ours, so ours would hear its broadcast and answer in msgpack, which ends it.
        with (tmp_path / "stranger.log").open("wb") as log:
            theirs = subprocess.Popen(
                [sys.executable, "-m", "tests.tasks.stranger", redis_process], cwd=ROOT, stdout=log, stderr=log
            )
        try:
            until(lambda: client.get(READY), "the stranger's worker to be ready")
            stranger = make_stranger(redis_process)
            long = PATIENT + LOOKS_EVERY + 1
            stranger.send_task(SLOW, kwargs={"name": "theirs", "seconds": long})
            send_slow("ours", long)
            until(lambda: client.llen("done:theirs") and client.llen("done:ours"), "both to end")
            # Our workers have looked for leases of PATIENT seconds meanwhile, and theirs is an hour.
            assert (client.llen("begun:theirs"), client.llen("begun:ours")) == (1, 1)
            send_slow("again", 0)
            until(lambda: client.llen("done:again"), "ours to go on")
            assert theirs.poll() is None
            assert "Unrecoverable" not in (tmp_path / "stranger.log").read_text()
            stranger.close()
        finally:
            theirs.kill()
            theirs.wait()


def test_all_our_names_in_redis_are_our_own(client: redis.Redis) -> None:
    assert all(queue.startswith("darkroom.v") for queue in (*QUEUES, FILES))
    for name in (app.conf.control_exchange, app.conf.event_exchange, app.conf.task_default_queue):
        assert name.startswith("darkroom.v")
