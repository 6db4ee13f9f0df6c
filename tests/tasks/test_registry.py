"""Which workers are up, and what keeps others from coming up."""

import os

import redis

from tasks.messages import Target
from tasks.registry import (
    LIVING,
    WORKER_LEASE_SECONDS,
    Worker,
    announce,
    clear_fault,
    faults,
    living_workers,
    ready,
    renew_worker,
    report_fault,
    sign_off,
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


def test_a_worker_lives_until_it_signs_off_or_its_lease_runs_out(client: redis.Redis) -> None:
    renew_worker(client, Worker("gpu0@a", TARGET, "cpu"))
    renew_worker(client, Worker("gpu1@a", Target("pictures")))
    assert living_workers(client) == {"gpu0@a", "gpu1@a"}
    assert 0 < client.ttl(f"{LIVING}gpu0@a") <= WORKER_LEASE_SECONDS
    sign_off(client, "gpu1@a")
    assert living_workers(client) == {"gpu0@a"}
