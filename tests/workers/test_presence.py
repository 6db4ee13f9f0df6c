"""What a worker says of itself for as long as it lives, and what is swept after one that was killed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import redis

from tasks.app import app
from tasks.messages import Target
from tasks.queues import FILES, UNACKED, files_of_worker
from tasks.registry import WORKERS, ready, renew_worker, sign_off, workers
from tasks.reports import loading
from tests.conftest import ROOT
from tests.tasks.tiny_worker import ECHO, SLOW
from tests.until import until
from workers.presence import KEEP_SECONDS, Presence, sweep

DEAD = "gpu0@pod-7f3a"


def killed(client: redis.Redis, node: str, seconds_ago: float = 1000.0) -> None:
    """Let the entry of a worker have ended some time ago."""
    renew_worker(client, node)
    seconds, _ = client.time()
    value = client.hget(WORKERS, node)
    assert isinstance(value, bytes)
    client.hset(WORKERS, node, f"{seconds - seconds_ago:.3f} {value.decode().partition(' ')[2]}")


def test_a_worker_is_there_while_it_loads_then_ready_and_then_gone(client: redis.Redis) -> None:
    presence = Presence(client, "gpu0@here")
    until(lambda: set(workers(client)) == {"gpu0@here"}, "the worker to be there")
    assert ready(client) == {}
    presence.ready()
    until(lambda: ready(client) == {"gpu0@here": os.getpid()}, "it to be ready")
    presence.leave()
    until(lambda: set(workers(client)) == set(), "it to be gone")


def test_what_a_worker_loads_is_told_with_its_progress_or_its_seconds_until_it_is_done(client: redis.Redis) -> None:
    presence = Presence(client, "gpu0@here")
    presence.loads("loading CLIP", "")
    until(lambda: re.fullmatch(r"loading CLIP \d+ s", loading(client).get("gpu0@here", "")), "it to say what it loads")
    presence.loads("downloading nobody/blip", "")
    presence.loads("downloading nobody/blip", "312 of 990 MB")
    until(lambda: loading(client) == {"gpu0@here": "downloading nobody/blip: 312 of 990 MB"}, "the progress")
    presence.loads("", "")
    until(lambda: not loading(client), "it to be done")
    presence.leave()
    until(lambda: not workers(client), "it to be gone")


def test_a_redis_that_has_lost_its_data_is_told_again_who_is_ready(client: redis.Redis) -> None:
    presence = Presence(client, "gpu0@here")
    presence.ready()
    until(lambda: ready(client), "it to be ready")
    client.flushall()
    presence.tell(Target("pictures", "shapes"), "cpu")
    until(lambda: ready(client), "it to be ready again")
    presence.leave()
    until(lambda: not workers(client), "it to be gone")


def test_the_files_of_a_dead_worker_go_to_all_and_are_done(client: redis.Redis) -> None:
    own = files_of_worker(DEAD)
    asked = app.send_task(ECHO, kwargs={"value": 5}, queue=own, ignore_result=False)
    killed(client, DEAD)
    assert sweep(client) == 1
    assert not client.exists(own)
    (raw,) = client.lrange(FILES, 0, -1)
    assert json.loads(raw)["properties"]["delivery_info"]["routing_key"] == FILES
    assert json.loads(raw)["headers"]["id"] == asked.id
    assert [key for key in client.scan_iter("*") if own.encode() in key] == []


def test_a_worker_that_lives_or_died_a_moment_ago_keeps_its_queue(client: redis.Redis) -> None:
    app.send_task(ECHO, kwargs={"value": 5}, queue=files_of_worker("gpu0@lives"))
    app.send_task(ECHO, kwargs={"value": 5}, queue=files_of_worker("gpu0@stopped"))
    renew_worker(client, "gpu0@lives")
    renew_worker(client, "gpu0@stopped")
    sign_off(client, "gpu0@stopped")
    assert sweep(client) == 0
    assert client.llen(files_of_worker("gpu0@lives")) == client.llen(files_of_worker("gpu0@stopped")) == 1


def test_a_dead_worker_is_swept_again_and_again_and_at_last_forgotten(client: redis.Redis) -> None:
    killed(client, DEAD)
    assert sweep(client) == 0
    client.lpush(files_of_worker(DEAD), "a message that came back when its lease ended")
    assert sweep(client) == 1
    killed(client, DEAD, KEEP_SECONDS + 60)
    sweep(client)
    assert not client.exists(WORKERS)


def test_a_worker_that_was_killed_leaves_nothing_behind(
    client: redis.Redis, redis_process: str, tmp_path: Path
) -> None:
    node, own = DEAD, files_of_worker(DEAD)
    env = {**os.environ, "DARKROOM_WORKER": node, "DARKROOM__BROKER__URL": redis_process, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.interactive_worker", node, own],
            cwd=ROOT,
            env=env,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: ready(client).get(node) == worker.pid, "the worker to be ready")
        app.send_task(SLOW, kwargs={"name": "long", "seconds": 600.0}, queue=own)
        until(lambda: client.hlen(UNACKED) == 1, "it to hold a message")
    finally:
        worker.kill()
        worker.wait()
    app.send_task(ECHO, kwargs={"value": 5}, queue=own)
    killed(client, node, KEEP_SECONDS + 60)
    assert sweep(client) == 1
    held = {UNACKED, "begun:long"}
    found = {
        key.decode(): members
        for key in client.scan_iter("*")
        if node in (members := repr(_content(client, key))) and key.decode() not in held
    }
    assert found == {}
    assert [key for key in client.scan_iter("*") if node.encode() in key] == []


def _content(client: redis.Redis, key: bytes) -> object:
    kind = client.type(key)
    if kind == b"zset":
        return client.zrange(key, 0, -1)
    if kind == b"list":
        return client.lrange(key, 0, -1)
    if kind == b"set":
        return client.smembers(key)
    return client.hgetall(key) if kind == b"hash" else client.get(key)
