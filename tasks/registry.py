"""The registry of workers: which are up, what keeps others from coming up, and who supervises a local stack.

All of it stands in small keys of Redis.
"""

import os
import socket
from typing import cast

import redis

READY = "darkroom:ready"
FAULTS = "darkroom:faults"
# Set by the supervisor of a machine in a cluster.
WORKER = "DARKROOM_WORKER"


def worker_name(name: str) -> str:
    """What this process calls itself: `name`, or the full one (gpu0@host) that the supervisor of a cluster gave it."""
    return os.environ.get(WORKER) or name


def node_name(name: str) -> str:
    """The name with the host, as Celery and Flower know this process: gpu0@host."""
    own = worker_name(name)
    return own if "@" in own else f"{own}@{socket.gethostname()}"


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


STOP_NOW = "darkroom:stop-now"  # set: when the last user is gone, end without finishing the work in the queues
STACK = "darkroom:stack"


def stack_key(name: str) -> str:
    """The key with the process id of the supervisor of stack `name`, set once what an earlier one said is gone."""
    return f"{STACK}:{name}"
