"""The registry of workers in Redis: which are ready, why others are not, and who supervises a local stack.

Like the queues, its keys carry the schema of the messages and the collection.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import cast

import redis

from settings.process_name import WORKER as WORKER
from settings.process_name import node_name as node_name
from settings.process_name import worker_name as worker_name
from tasks.messages import Target
from tasks.queues import PREFIX

# A worker renews its lease three times as often, so a pause of some seconds is no death.
LIVING = f"{PREFIX}:living:"
WORKER_LEASE_SECONDS = 30
READY = f"{PREFIX}:ready"
FAULTS = f"{PREFIX}:faults"


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


STOP_NOW = f"{PREFIX}:stop-now"  # if set, the stack ends after its last user, and leaves what is in the queues
STACK = f"{PREFIX}:stack"


def stack_key(name: str) -> str:
    """The key for the process id of the supervisor of stack `name`, set once the keys of an earlier one are removed."""
    return f"{STACK}:{name}"


@dataclass(frozen=True)
class Worker:
    """A worker that lives: `name` like gpu0@host, what it has, where it computes, and what tells its process apart."""

    name: str
    has: Target
    device: str = ""
    process: str = ""


# Drawn anew for each process; a process id may be the same again after a restart in a container.
PROCESS = os.urandom(8).hex()


def renew_worker(client: redis.Redis, worker: Worker) -> None:
    """Say that a worker lives, for WORKER_LEASE_SECONDS from now."""
    client.set(f"{LIVING}{worker.name}", json.dumps(asdict(worker)), ex=WORKER_LEASE_SECONDS)


def sign_off(client: redis.Redis, node: str) -> None:
    """Say that the worker `node` has stopped."""
    client.delete(f"{LIVING}{node}")


def workers(client: redis.Redis) -> list[Worker]:
    """The workers of this collection whose lease has not run out: also one that pauses or is busy."""
    keys = sorted(client.scan_iter(match=f"{LIVING}*", count=1000))
    entries = cast(list[bytes | None], client.mget(keys)) if keys else []
    return [_worker(entry) for entry in entries if entry is not None]


def collection_of_stack(client: redis.Redis, name: str, pid: bytes) -> str | None:
    """The collection that the stack `name` under supervisor `pid` has signed in for; None where it has not."""
    for key in client.scan_iter(match=f"darkroom.v*:stack:{name}", count=1000):
        if client.get(key) == pid:
            return key.decode().partition(":")[0].split(".", 2)[2]
    return None


def foreign_workers(client: redis.Redis) -> list[str]:
    """A phrase for each worker that lives on this Redis for another collection, or is of another release."""
    phrases = []
    for key in client.scan_iter(match="darkroom.v*:living:*", count=1000):
        found = re.fullmatch(r"darkroom\.v(\d+)\.([^:]+):living:(.+)", key.decode())
        if found and not key.decode().startswith(LIVING):
            own = PREFIX.endswith(f".{found[2]}")
            phrases.append(f"{found[3]} {'is of another release' if own else f'keeps the collection {found[2]!r}'}")
    return sorted(phrases)


def living_workers(client: redis.Redis) -> set[str]:
    """The names (gpu0@host) of `workers`."""
    return {key.decode().removeprefix(LIVING) for key in client.scan_iter(match=f"{LIVING}*", count=1000)}


def lives(client: redis.Redis, node: str, process: str) -> bool:
    """True while this very process of the worker `node` has its lease."""
    entry = cast(bytes | None, client.get(f"{LIVING}{node}"))
    return entry is not None and _worker(entry).process == process


def _worker(entry: bytes) -> Worker:
    fields = json.loads(entry)
    return Worker(**{**fields, "has": Target(**fields["has"])})
