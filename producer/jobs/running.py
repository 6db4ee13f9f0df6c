"""What runs on this machine: the stack of the data directory, what it holds in memory, and what lies aside in it."""

import json
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from producer.stack import STORAGE, Stack
from producer.waiting import collection_facts
from tasks.envelope import FILES_HEADER
from tasks.queues import COLLECTION_NAME, LAST_SEEN, LEFT
from tasks.stack.locks import is_held, read_note
from tasks.stack.paths import StackPaths
from tasks.stack.record import read_record


@dataclass(frozen=True)
class RunningStack:
    """The stack: its supervisor, since when it is up, whether it stays until it is told to go, its models.

    `memory` is the bytes of memory of each of its processes, by name.
    """

    pid: int
    since: float
    stays: bool
    clip: str
    blip: str
    memory: dict[str, int]


def running_stack(local: StackPaths) -> RunningStack | None:
    """The stack of a data directory, None where none runs."""
    record = read_record(local)
    if record is None:
        return None
    pids = {"supervisor": record.pid}
    for file in sorted(local.pids.glob("*.pid")):
        if is_held(file) and (note := read_note(file)).isdigit():
            pids[file.stem] = int(note)
    memory = {name: size for name, pid in pids.items() if (size := _resident_bytes(pid)) is not None}
    return RunningStack(record.pid, record.since, record.stays, record.clip, record.blip, memory)


def collection_now(stack: Stack, client: redis.Redis) -> dict[str, Any]:
    """Name, model and size of the collection, without starting a storage worker where that is known.

    Raises ServiceMissing where no storage worker answers.
    """
    return last_seen(stack, client) or collection_facts(stack)


def last_seen(stack: Stack, client: redis.Redis) -> dict[str, Any] | None:
    """What the last storage worker of the local stack said of its collection when it ended; None while one lives."""
    if not stack.is_local or stack.lives(STORAGE):
        return None
    if stack.is_empty:
        return {"name": COLLECTION_NAME, "clip_model": None, "points": 0}
    with suppress(redis.RedisError):
        told = cast(bytes | None, client.get(LAST_SEEN))
        return cast(dict[str, Any], json.loads(told)) if told else None
    return None


def left_aside(client: redis.Redis) -> dict[str, int]:
    """Job -> how many of its files lie aside, because the command that had them worked on is gone."""
    left: Counter[str] = Counter()
    for raw in cast(list[bytes], client.lrange(LEFT, 0, -1)):
        job, _, numbers = str(json.loads(raw)["headers"].get(FILES_HEADER, "")).partition(":")
        left[job] += len(numbers.split(","))
    return dict(left)


def _resident_bytes(pid: int) -> int | None:
    """The memory that a process holds; None for one that is gone."""
    status = Path(f"/proc/{pid}/status")
    with suppress(OSError, StopIteration, ValueError):
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
            return 1024 * int(line.split()[1])
        # A system without /proc, such as macOS.
        asked = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return 1024 * int(asked.stdout)
    return None
