"""The registry of workers in Redis: which are ready, why others are not, and who supervises a local stack."""

import os
import socket
from typing import cast

import redis

# A worker renews its lease three times as often, so a pause of some seconds is no death.
LIVING = "darkroom:living:"
WORKER_LEASE_SECONDS = 30
READY = "darkroom:ready"
FAULTS = "darkroom:faults"
# Set by the supervisor of a machine in a cluster.
WORKER = "DARKROOM_WORKER"


def worker_name(name: str) -> str:
    """The name of this process: `name`, or the full name (gpu0@host) that the supervisor of a cluster has set."""
    return os.environ.get(WORKER) or name


def node_name(name: str) -> str:
    """The name with the host, as Celery and Flower know this process: gpu0@host."""
    worker = worker_name(name)
    return worker if "@" in worker else f"{worker}@{socket.gethostname()}"


def announce(client: redis.Redis, name: str) -> None:
    """Register this process as ready under `name`, and remove its fault."""
    pipe = client.pipeline()
    pipe.hset(READY, name, os.getpid())
    pipe.hdel(FAULTS, name)
    pipe.execute()


def report_fault(client: redis.Redis, name: str, sentence: str) -> None:
    """Register the reason why `name` does not work."""
    client.hset(FAULTS, name, sentence)


def clear_fault(client: redis.Redis, name: str) -> None:
    """Remove the fault of `name`, which works again."""
    client.hdel(FAULTS, name)


def faults(client: redis.Redis) -> dict[str, str]:
    """worker -> the reason why it does not work."""
    sentences = cast(dict[bytes, bytes], client.hgetall(FAULTS))
    return {name.decode(): sentence.decode() for name, sentence in sentences.items()}


def ready(client: redis.Redis) -> dict[str, int]:
    """worker -> process id, for the workers that are ready."""
    pids = cast(dict[bytes, bytes], client.hgetall(READY))
    return {name.decode(): int(pid) for name, pid in pids.items()}


STOP_NOW = "darkroom:stop-now"  # if set, the stack ends after its last user without finishing what is in the queues
STACK = "darkroom:stack"


def stack_key(name: str) -> str:
    """The key for the process id of the supervisor of stack `name`, set once the keys of an earlier one are removed."""
    return f"{STACK}:{name}"


def renew_worker(client: redis.Redis, node: str) -> None:
    """Say that the worker `node` (gpu0@host) lives, for WORKER_LEASE_SECONDS from now."""
    client.set(f"{LIVING}{node}", os.getpid(), ex=WORKER_LEASE_SECONDS)


def sign_off(client: redis.Redis, node: str) -> None:
    """Say that the worker `node` has stopped."""
    client.delete(f"{LIVING}{node}")


def living_workers(client: redis.Redis) -> set[str]:
    """The names (gpu0@host) of the workers whose lease has not run out: also of one that pauses or is busy."""
    return {key.decode().removeprefix(LIVING) for key in client.scan_iter(match=f"{LIVING}*", count=1000)}
