"""The registry of workers in Redis: which live, which are ready, why others are not, and who supervises a local stack.

What a worker or its supervisor says here holds for some seconds by the clock of Redis, unless it is said again: who is
killed need not sign off, and who pauses for a moment is not taken for dead. Like the queues, the keys carry the schema
of the messages and the collection.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

import redis

from settings.process_name import WORKER as WORKER
from settings.process_name import node_name as node_name
from settings.process_name import node_of
from settings.process_name import worker_name as worker_name
from tasks.broker.scripts import run_script
from tasks.messages import Target
from tasks.queues import COLLECTION_NAME, PREFIX

# Node name (gpu0@host) -> its entry, with the time when it ends in front.
WORKERS = f"{PREFIX}:workers"
# Name -> the reason why that worker does not work, with the time when it ends in front.
FAULTS = f"{PREFIX}:faults"
WORKER_LEASE_SECONDS = 30
RENEW_SECONDS = 5.0
# So long a worker that is not heard any more may only pause: a machine that sleeps, a cable. Nobody decides for it.
SILENT_SECONDS = 300
FAULT_LEASE_SECONDS = 60
# Drawn anew for each process; a process id may be the same again after a restart in a container.
PROCESS = os.urandom(8).hex()
# What a worker has that has not said more yet.
NO_MODELS = Target(COLLECTION_NAME)

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
    """A worker that lives: `node` like gpu0@host, and its name as its supervisor knows it; its process id; whether it
    has begun to take messages; what it has, where it computes, and what tells its process from others.
    """

    node: str
    name: str
    pid: int
    ready: bool
    has: Target = NO_MODELS
    device: str = ""
    process: str = ""


def this_process(name: str, has: Target = NO_MODELS, device: str = "") -> Worker:
    """This process as the worker `name`, before it takes messages."""
    return Worker(node_of(name), name, os.getpid(), False, has, device, PROCESS)


def renew_worker(
    client: redis.Redis, name: str, ready: bool = False, has: Target = NO_MODELS, device: str = ""
) -> None:
    """Say that this process lives as the worker `name`, for WORKER_LEASE_SECONDS from now."""
    worker = this_process(name, has, device)
    entry = {**asdict(worker), "ready": ready, "has": has.to_wire()}
    run_script(client, _SAY, [WORKERS], [entry.pop("node"), WORKER_LEASE_SECONDS, json.dumps(entry)])


def announce(client: redis.Redis, name: str, has: Target = NO_MODELS, device: str = "") -> None:
    """Register this process as ready under `name`, and remove its fault."""
    renew_worker(client, name, True, has, device)
    clear_fault(client, name)


def sign_off(client: redis.Redis, name: str) -> None:
    """Say that the worker `name` has stopped; its entry ends now, and whoever sweeps finds what it has left."""
    run_script(client, _SAY, [WORKERS], [node_of(name), -0.001, json.dumps({"name": name})])


def workers(client: redis.Redis) -> dict[str, Worker]:
    """Node name -> the worker, for all whose lease has not run out: also of one that loads, pauses or is busy."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(WORKERS)
    pipe.time()
    return living(*pipe.execute())


def living(entries: Entries, now: Time) -> dict[str, Worker]:
    """The workers of these entries of WORKERS that live at `now`, the time of Redis."""
    return _heard_since(entries, now[0] + now[1] / 1e6)


def silent_workers(client: redis.Redis) -> dict[str, Worker]:
    """Node name -> the worker, for those whose lease ran out in the last SILENT_SECONDS and that did not sign off."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(WORKERS)
    pipe.time()
    entries, (seconds, micros) = pipe.execute()
    now = seconds + micros / 1e6
    alive = _heard_since(entries, now)
    return {node: worker for node, worker in _heard_since(entries, now - SILENT_SECONDS).items() if node not in alive}


def _heard_since(entries: Entries, moment: float) -> dict[str, Worker]:
    """The workers whose lease ended, or will end, after this moment; none that has signed off."""
    found = {}
    for name, (until, text) in _parsed(entries).items():
        if until > moment and "has" in (fields := json.loads(text)):
            found[name] = Worker(name, **{**fields, "has": Target.from_wire(fields["has"])})
    return found


def lives(client: redis.Redis, node: str, process: str) -> bool:
    """True while this very process of the worker `node` has its lease."""
    worker = workers(client).get(node)
    return worker is not None and worker.process == process


def foreign_workers(client: redis.Redis) -> list[str]:
    """A phrase for each worker that lives on this Redis for another collection, or is of another release."""
    phrases = []
    seconds = client.time()[0]
    for key in client.scan_iter(match="darkroom.v*:workers", count=1000):
        found = re.fullmatch(r"darkroom\.v(\d+)\.([^:]+):workers", key.decode())
        if found is None or key.decode() == WORKERS:
            continue
        what = "is of another release" if found[2] == COLLECTION_NAME else f"keeps the collection {found[2]!r}"
        entries = cast(dict[bytes, bytes], client.hgetall(key))
        phrases += [f"{node} {what}" for node, (until, _) in _parsed(entries).items() if until > seconds]
    return sorted(phrases)


def ready(client: redis.Redis) -> dict[str, int]:
    """Name -> process id, for the workers that are ready."""
    return {worker.name: worker.pid for worker in workers(client).values() if worker.ready}


def dead_workers(client: redis.Redis, seconds: float) -> set[str]:
    """The node names of the workers whose entry ended more than so many seconds ago."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(WORKERS)
    pipe.time()
    entries, now = pipe.execute()
    return {name for name, (until, _) in _parsed(entries).items() if until < now[0] - seconds}


def report_fault(client: redis.Redis, name: str, sentence: str) -> None:
    """Register the reason why `name` does not work, for FAULT_LEASE_SECONDS."""
    run_script(client, _SAY, [FAULTS], [name, FAULT_LEASE_SECONDS, sentence])


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


STOP_NOW = f"{PREFIX}:stop-now"  # if set, the stack ends with its last user, whatever is in the queues
STACK = f"{PREFIX}:stack"


def stack_key(name: str) -> str:
    """The key for the process id of the supervisor of stack `name`, set once the keys of an earlier one are removed."""
    return f"{STACK}:{name}"
