"""The registry of workers in Redis: which live, which are ready, why others are not, and who supervises a local stack.

What a worker or its supervisor says here holds for some seconds by the clock of Redis, unless it is said again: who is
killed need not sign off, and who pauses for a moment is not taken for dead.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import redis

# Node name (gpu0@host) -> its entry, with the time when it ends in front.
WORKERS = "darkroom:workers"
# Name -> the reason why that worker does not work, with the time when it ends in front.
FAULTS = "darkroom:faults"
WORKER_LEASE_SECONDS = 30
RENEW_SECONDS = 5.0
FAULT_LEASE_SECONDS = 60
# Set by the supervisor of a machine in a cluster.
WORKER = "DARKROOM_WORKER"

# KEYS: a hash; ARGV: field, seconds, text. A full Redis takes what adds data only from a script that has written
# already, and a living worker must not seem dead: so the first command removes the field.
_SAY = """
redis.call('HDEL', KEYS[1], ARGV[1])
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.6f ', time[1] + time[2] / 1000000 + ARGV[2]) .. ARGV[3])
"""
Entries = Mapping[bytes, bytes]
Time = tuple[int, int]


@dataclass(frozen=True)
class Worker:
    """A worker that lives: its name as its supervisor knows it, its process, whether it has begun to take messages.

    `facts` are what else it says of itself.
    """

    node: str
    name: str
    pid: int
    ready: bool
    facts: dict[str, Any] = field(default_factory=dict)


def worker_name(name: str) -> str:
    """The name of this process: `name`, or the full name (gpu0@host) that the supervisor of a cluster has set."""
    return os.environ.get(WORKER) or name


def node_name(name: str) -> str:
    """The name with the host, as Celery and Flower know this process: gpu0@host."""
    return _node(worker_name(name))


def _node(name: str) -> str:
    return name if "@" in name else f"{name}@{socket.gethostname()}"


def renew_worker(client: redis.Redis, name: str, ready: bool = False, facts: Mapping[str, Any] | None = None) -> None:
    """Say that this process lives as the worker `name`, for WORKER_LEASE_SECONDS from now."""
    text = json.dumps({"name": name, "pid": os.getpid(), "ready": ready, "facts": dict(facts or {})})
    client.register_script(_SAY)(keys=[WORKERS], args=[_node(name), WORKER_LEASE_SECONDS, text])


def announce(client: redis.Redis, name: str, facts: Mapping[str, Any] | None = None) -> None:
    """Register this process as ready under `name`, and remove its fault."""
    renew_worker(client, name, ready=True, facts=facts)
    clear_fault(client, name)


def sign_off(client: redis.Redis, name: str) -> None:
    """Say that the worker `name` has stopped; its entry ends now, and whoever sweeps finds what it has left."""
    client.register_script(_SAY)(keys=[WORKERS], args=[_node(name), -0.001, json.dumps({"name": name})])


def workers(client: redis.Redis) -> dict[str, Worker]:
    """Node name -> the worker, for all whose lease has not run out: also of one that loads, pauses or is busy."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(WORKERS)
    pipe.time()
    return living(*pipe.execute())


def living(entries: Entries, now: Time) -> dict[str, Worker]:
    """The workers of these entries of WORKERS that live at `now`, the time of Redis."""
    found = {}
    for name, (until, text) in _parsed(entries).items():
        if until > now[0] + now[1] / 1e6:
            entry = json.loads(text)
            found[name] = Worker(name, entry["name"], entry["pid"], entry["ready"], entry["facts"])
    return found


def ready(client: redis.Redis) -> dict[str, int]:
    """Name -> process id, for the workers that are ready."""
    return {worker.name: worker.pid for worker in workers(client).values() if worker.ready}


def living_workers(client: redis.Redis) -> set[str]:
    """The node names (gpu0@host) of the workers that live."""
    return set(workers(client))


def dead_workers(client: redis.Redis, seconds: float) -> set[str]:
    """The node names of the workers whose entry ended more than so many seconds ago."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(WORKERS)
    pipe.time()
    entries, now = pipe.execute()
    return {name for name, (until, _) in _parsed(entries).items() if until < now[0] - seconds}


def report_fault(client: redis.Redis, name: str, sentence: str) -> None:
    """Register the reason why `name` does not work, for FAULT_LEASE_SECONDS."""
    client.register_script(_SAY)(keys=[FAULTS], args=[name, FAULT_LEASE_SECONDS, sentence])


def clear_fault(client: redis.Redis, *names: str) -> None:
    """Remove the faults of these workers, which work again."""
    if names:
        client.hdel(FAULTS, *names)


def faults(client: redis.Redis) -> dict[str, str]:
    """Name -> the reason why that worker does not work."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(FAULTS)
    pipe.time()
    sentences, now = cast(tuple[dict[bytes, bytes], Time], tuple(pipe.execute()))
    parsed = _parsed(sentences)
    if over := [name for name, (until, _) in parsed.items() if until <= now[0]]:
        client.hdel(FAULTS, *over)
    return {name: sentence for name, (until, sentence) in parsed.items() if name not in over}


def _parsed(entries: Entries) -> dict[str, tuple[float, str]]:
    """Field -> when it ends and its text; what another release wrote has ended."""
    parsed = {}
    for name, value in entries.items():
        until, _, text = value.decode(errors="replace").partition(" ")
        is_time = until.replace(".", "", 1).isdecimal()
        parsed[name.decode(errors="replace")] = (float(until), text) if is_time else (0.0, "")
    return parsed


STOP_NOW = "darkroom:stop-now"  # if set, the stack ends after its last user without finishing what is in the queues
STACK = "darkroom:stack"


def stack_key(name: str) -> str:
    """The key for the process id of the supervisor of stack `name`, set once the keys of an earlier one are removed."""
    return f"{STACK}:{name}"
