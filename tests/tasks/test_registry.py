"""Which workers are up, and what keeps others from coming up."""

import os
import socket

import redis

from tasks.messages import Target
from tasks.registry import (
    FAULTS,
    PROCESS,
    SILENT_SECONDS,
    WORKER_LEASE_SECONDS,
    WORKERS,
    Worker,
    announce,
    clear_fault,
    faults,
    ready,
    renew_worker,
    report_fault,
    sign_off,
    silent_workers,
    workers,
)

TARGET = Target("pictures", "a-clip", "")


def test_nobody_is_there_at_first(client: redis.Redis) -> None:
    assert ready(client) == {}
    assert faults(client) == {}


def test_who_is_ready_is_known_by_name_and_process(client: redis.Redis) -> None:
    announce(client, "gpu0")
    announce(client, "storage")
    assert ready(client) == {"gpu0": os.getpid(), "storage": os.getpid()}


def test_a_fault_keeps_its_words_until_it_is_over(client: redis.Redis) -> None:
    report_fault(client, "storage", "Qdrant antwortet nicht: größer als erlaubt.")
    report_fault(client, "gpu0", "No memory.")
    report_fault(client, "gpu0", "No memory left.")
    assert faults(client) == {"gpu0": "No memory left.", "storage": "Qdrant antwortet nicht: größer als erlaubt."}
    clear_fault(client, "gpu0")
    clear_fault(client, "gpu0")
    assert list(faults(client)) == ["storage"]


def test_who_announces_itself_has_no_fault_any_more_and_leaves_the_others_theirs(client: redis.Redis) -> None:
    report_fault(client, "gpu0", "No memory left.")
    report_fault(client, "gpu1", "No such device.")
    announce(client, "gpu0")
    assert faults(client) == {"gpu1": "No such device."}


def entry_ended(client: redis.Redis, key: str, name: str) -> None:
    """Let the time of an entry be over, as if nobody had said it again."""
    value = client.hget(key, name)
    assert isinstance(value, bytes)
    client.hset(key, name, b"1000.000 " + value.partition(b" ")[2])


def test_a_worker_lives_until_it_signs_off_or_its_lease_runs_out(client: redis.Redis) -> None:
    for name in ("gpu0@a", "gpu1@a", "gpu2@a"):
        renew_worker(client, name)
    seconds, _ = client.time()
    value = client.hget(WORKERS, "gpu0@a")
    assert isinstance(value, bytes)
    until = float(value.partition(b" ")[0])
    assert 0 < until - seconds <= WORKER_LEASE_SECONDS + 1
    sign_off(client, "gpu1@a")
    entry_ended(client, WORKERS, "gpu2@a")
    assert set(workers(client)) == {"gpu0@a"}


def test_a_worker_that_loads_its_models_lives_and_is_not_ready(client: redis.Redis) -> None:
    renew_worker(client, "gpu0@a", has=TARGET, device="cpu")
    assert ready(client) == {}
    assert workers(client) == {"gpu0@a": Worker("gpu0@a", "gpu0@a", os.getpid(), False, TARGET, "cpu", PROCESS)}
    announce(client, "gpu0@a")
    assert ready(client) == {"gpu0@a": os.getpid()}


def test_a_worker_without_a_host_in_its_name_is_known_to_others_with_it(client: redis.Redis) -> None:
    announce(client, "gpu0")
    assert set(workers(client)) == {f"gpu0@{socket.gethostname()}"}
    assert list(ready(client)) == ["gpu0"]


def test_a_machine_that_was_killed_is_not_ready_any_more_when_its_lease_has_run_out(client: redis.Redis) -> None:
    announce(client, "gpu0@killed")
    announce(client, "gpu0@other")
    entry_ended(client, WORKERS, "gpu0@killed")
    assert list(ready(client)) == ["gpu0@other"]


def test_a_fault_that_nobody_repeats_is_over_and_leaves_nothing(client: redis.Redis) -> None:
    report_fault(client, "gpu0@killed", "No memory left.")
    report_fault(client, "gpu0@other", "No such device.")
    entry_ended(client, FAULTS, "gpu0@killed")
    assert faults(client) == {"gpu0@other": "No such device."}
    assert client.hkeys(FAULTS) == [b"gpu0@other"]


def test_what_another_release_has_written_says_nothing(client: redis.Redis) -> None:
    client.hset(WORKERS, mapping={"a": "4711", "b": "", "c": b"\xff"})
    client.hset(FAULTS, "gpu0", "The GPU has no memory left.")
    assert workers(client) == {}
    assert faults(client) == {}


def test_a_full_redis_still_knows_who_lives(client: redis.Redis) -> None:
    announce(client, "gpu0@a")
    client.config_set("maxmemory", 1)
    try:
        entry_ended_at = client.hget(WORKERS, "gpu0@a")
        renew_worker(client, "gpu0@a")
        report_fault(client, "gpu0@a", "Redis is full.")
        assert client.hget(WORKERS, "gpu0@a") != entry_ended_at
        assert faults(client) == {"gpu0@a": "Redis is full."}
    finally:
        client.config_set("maxmemory", 0)


def test_a_worker_that_is_not_heard_is_silent_for_some_minutes_and_one_that_has_signed_off_is_gone(
    client: redis.Redis,
) -> None:
    now, _ = client.time()
    for node, seconds_ago in (("gpu0@lives", -20), ("gpu0@pauses", 40), ("gpu0@dead", SILENT_SECONDS + 5)):
        renew_worker(client, node, has=TARGET)
        entry = client.hget(WORKERS, node)
        assert isinstance(entry, bytes)
        client.hset(WORKERS, node, f"{now - seconds_ago:.3f} {entry.decode().partition(' ')[2]}")
    sign_off(client, "gpu0@stopped")
    assert {node: worker.has for node, worker in silent_workers(client).items()} == {"gpu0@pauses": TARGET}
    assert set(workers(client)) == {"gpu0@lives"}
