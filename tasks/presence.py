"""Which workers are up, and what keeps others from coming up: two small hashes in Redis."""

import os
from typing import cast

import redis

READY = "darkroom:ready"
FAULTS = "darkroom:faults"


def announce(client: redis.Redis, name: str) -> None:
    """Say that this process consumes under `name`, and that its last fault is over."""
    pipe = client.pipeline()
    pipe.hset(READY, name, os.getpid())
    pipe.hdel(FAULTS, name)
    pipe.execute()


def report_fault(client: redis.Redis, name: str, sentence: str) -> None:
    """Say what keeps `name` from working."""
    client.hset(FAULTS, name, sentence)


def clear_fault(client: redis.Redis, name: str) -> None:
    """Say that `name` works again."""
    client.hdel(FAULTS, name)


def faults(client: redis.Redis) -> dict[str, str]:
    """What keeps workers from working, by worker."""
    found = cast(dict[bytes, bytes], client.hgetall(FAULTS))
    return {name.decode(): sentence.decode() for name, sentence in found.items()}


def ready(client: redis.Redis) -> dict[str, int]:
    """The pids of the workers that said they are ready, by name."""
    found = cast(dict[bytes, bytes], client.hgetall(READY))
    return {name.decode(): int(pid) for name, pid in found.items()}
