"""The ledger of a job in Redis: one bit for each file and outcome, so that a repeated message counts once.

Every file of a job has a number. The OUTCOMES are bitmaps over those numbers. Why a file failed takes two bytes, the
number of a reason that stands once; the first failures keep their URIs beside it. A file stands in at most one of
stored, failed and skipped, and a confirmed write always wins: a file that failed once and was stored by a later
delivery is stored.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import Any, cast

import redis

from tasks.broker.full import write
from tasks.broker.scripts import run_script
from tasks.ledger_scripts import ATTEMPT, COUNT, COUNTS, FAIL, NOTE, OPEN, PARTS, SKIP, STILL_BROKEN, STORE
from tasks.outcomes import (
    CHUNK,
    OUTCOMES,
    Counts,
    Failure,
    bits_of,
    fail_arguments,
    has_bit,
    read_failures,
)

__all__ = [
    "JOBS",
    "JOB_VARIABLE",
    "KEEP_SECONDS",
    "OUTCOMES",
    "Counts",
    "Failure",
    "Ledger",
    "jobs",
    "new_job_id",
    "stopped_jobs",
]

# A file stands in at most one of these.
ENDS = ("stored", "failed", "skipped")
GAP_BYTES = 1024
JOBS = "darkroom:jobs"
# Job -> when it was stopped: workers begin none of its files any more.
STOPPED = "darkroom:stopped"
KEEP_SECONDS = 30 * 24 * 3600
# A program that starts a producer sets the id of its job by this variable.
JOB_VARIABLE = "DARKROOM_JOB"


def new_job_id() -> str:
    """A name that sorts by time (UTC) and does not repeat: 20260131-142501-9f3a01bc; or what $DARKROOM_JOB names it."""
    return os.environ.get(JOB_VARIABLE) or f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.urandom(4).hex()}"


class Ledger:
    """The record of one job in Redis. Every write may be repeated without harm."""

    def __init__(self, client: redis.Redis, job: str) -> None:
        self.client = client
        self.job = job
        self._owner = ""  # drawn by `open`: a call of the system for each message would let other threads go first

    def key(self, part: str) -> str:
        """The Redis key of one part of this job."""
        return f"darkroom:job:{self.job}:{part}"

    def open(self, root: str, lease_seconds: int = 0, **facts: str | int | float) -> bool:
        """Begin the job, held as by `hold`, and put it on the list; False where another has begun one of this name."""
        now = time.time()
        beginning = {"root": root, "started": now, "state": "running", **facts}
        self._owner = self._owner or os.urandom(8).hex()
        # Asked again by the same producer, after an answer that was lost, it is still its own job.
        arguments = (self.job, self._owner, now, lease_seconds, *chain(*beginning.items()))
        if not self._run(OPEN, *arguments, keys=[JOBS, self.key("producer")]):
            return False
        old = cast(list[bytes], self.client.zrangebyscore(JOBS, 0, now - KEEP_SECONDS))
        if forgotten := set(old) - set(_known(self.client, old)):
            self.client.zrem(JOBS, *forgotten)
        return True

    def note(self, **facts: str | int | float) -> None:
        """Write facts about the job as a whole, such as its total or its state; nothing about one that is forgotten."""
        self._run(NOTE, *chain(*facts.items()))

    def meta(self) -> dict[str, str]:
        """All facts about the job; empty for a job that does not exist."""
        facts = cast(dict[bytes, bytes], self.client.hgetall(self.key("meta")))
        return {key.decode(): value.decode(errors="replace") for key, value in facts.items()}

    def is_open(self) -> bool:
        """True after `open`, as long as Redis keeps the job: after Redis has lost its data it is False."""
        return bool(self.client.hexists(self.key("meta"), "started"))

    def is_cancelled(self) -> bool:
        """True once somebody noted `cancelled`: whoever runs the job ends it as Ctrl-C does there."""
        return bool(self.client.hexists(self.key("meta"), "cancelled"))

    def hold(self, seconds: int) -> None:
        """Note that the producer of the job lives, for the next `seconds`."""
        write(self.client, "SET", self.key("producer"), 1, "EX", seconds)

    def release(self) -> None:
        """Note that the producer of the job has ended."""
        self.client.delete(self.key("producer"))

    def is_held(self) -> bool:
        """True while the producer of the job lives."""
        return bool(self.client.exists(self.key("producer")))

    def stop(self) -> None:
        """Have workers begin no more files of this job; what a model computes already is finished."""
        pipe = self.client.pipeline(transaction=False)
        pipe.zremrangebyscore(STOPPED, 0, time.time() - KEEP_SECONDS)
        pipe.zadd(STOPPED, {self.job: time.time()})
        pipe.execute()

    def stored(self, numbers: Sequence[int], reused: Sequence[bool]) -> None:
        """Count files as stored, after their write is confirmed."""
        arguments = [value for pair in zip(numbers, map(int, reused), strict=True) for value in pair]
        if arguments:
            self._run(STORE, *arguments)

    def failed(self, failures: Iterable[Failure]) -> None:
        """Tick files that failed, with their reasons; a file that is stored stays stored."""
        if arguments := fail_arguments(failures):
            self._run(FAIL, *arguments)

    def computed(self, embedded: int, captioned: int) -> None:
        """Count files that a model embedded and captioned; a file that was computed twice counts twice."""
        counts = {name: files for name, files in (("embedded", embedded), ("captioned", captioned)) if files}
        if counts:
            self._run(COUNT, *chain(*counts.items()))

    def skipped(self, numbers: Sequence[int], still_broken: Iterable[Failure] = ()) -> None:
        """Count files as skipped: the collection holds them unchanged, or they failed before and are unchanged."""
        if numbers:
            self._run(SKIP, *numbers)
        if arguments := fail_arguments(still_broken):
            self._run(STILL_BROKEN, *arguments)

    def counts(self) -> Counts:
        """The number of files with each outcome so far."""
        return Counts(*self._run(COUNTS))

    def bitmap(self, outcome: str) -> bytes:
        """The files with one of OUTCOMES: a bit a file, by number, the most significant bit of a byte first."""
        return cast(bytes | None, self.client.get(self.key(outcome))) or b""

    def forget(self) -> None:
        """Remove the job and everything about it."""
        last = max(self.client.strlen(self.key(part)) for part in ("failed", "still_broken")) * 8
        pipe = self.client.pipeline(transaction=False)
        pipe.delete(*(self.key(part) for part in PARTS))
        for chunk in range(-(-last // CHUNK)):
            pipe.delete(self.key(f"codes:{chunk}"))
        pipe.zrem(JOBS, self.job)
        pipe.execute()

    def done(self, numbers: Sequence[int]) -> set[int]:
        """Which of these files are stored, failed or skipped already."""
        stretches = _stretches(numbers)
        pipe = self.client.pipeline(transaction=False)
        # The window of a job spans few bytes; asking for stretches beats one GETBIT a file.
        for first, last in stretches:
            for outcome in ENDS:
                pipe.getrange(self.key(outcome), first, last)
        replies = iter(pipe.execute() if stretches else ())
        done: set[int] = set()
        for first, _ in stretches:
            for _ in ENDS:
                done.update(bits_of(bytes(next(replies)), 8 * first))
        return done & set(numbers)

    def without_end(self, total: int) -> Iterator[int]:
        """The numbers below `total` that are neither stored nor failed nor skipped."""
        bitmaps = [self.bitmap(outcome) for outcome in ENDS]
        return (number for number in range(total) if not any(has_bit(bitmap, number) for bitmap in bitmaps))

    def failures(self, limit: int | None = None, after: int = -1) -> list[Failure]:
        """The failed files behind number `after` in the order of their numbers, at most `limit`."""
        return list(self.iterate_failures(limit, after))

    def iterate_failures(self, limit: int | None = None, after: int = -1) -> Iterator[Failure]:
        """The same one by one, a page in memory at a time."""
        return read_failures(self.client, self._failure_keys(), after, limit)

    def unreadable(self) -> Iterator[Failure]:
        """The failed files and those that are still broken, in the order of their numbers."""
        keys = self._failure_keys()
        both = (read_failures(self.client, keys, -1, None, bits) for bits in ("failed", "still_broken"))
        return merge(*both, key=lambda failure: failure.number)

    def _failure_keys(self) -> dict[str, str]:
        parts = ("failed", "still_broken", "uris", "reasons")
        return {**{part: self.key(part) for part in parts}, "codes": self.key("codes:")}

    def attempts(self, numbers: Sequence[int]) -> dict[int, int]:
        """How often each of these files was tried alone without an end: its worker has died, or still works on it."""
        if not numbers:
            return {}
        counts = cast(list[bytes | None], self.client.hmget(self.key("attempts"), [str(number) for number in numbers]))
        return {number: int(count or 0) for number, count in zip(numbers, counts, strict=True)}

    def count_attempt(self, number: int) -> int:
        """Note that a redelivered file is tried once more; returns how often it was tried, this time included."""
        return int(self._run(ATTEMPT, number, 1))

    def forget_attempt(self, number: int) -> None:
        """Remove the note of one attempt, which the worker has survived."""
        self._run(ATTEMPT, number, -1)

    def _run(self, script: str, *arguments: Any, keys: Sequence[str] = ()) -> Any:
        names = [*(self.key(part) for part in PARTS), self.key("codes:"), *keys]
        return run_script(self.client, script, names, [KEEP_SECONDS, *arguments])


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The bytes of a bitmap in which these numbers stand, as few stretches (first, last) without wide gaps in them."""
    stretches: list[tuple[int, int]] = []
    for place in sorted({number // 8 for number in numbers}):
        if stretches and place - stretches[-1][1] <= GAP_BYTES:
            stretches[-1] = stretches[-1][0], place
        else:
            stretches.append((place, place))
    return stretches


def jobs(client: redis.Redis, limit: int = 100) -> list[str]:
    """The ids of the jobs, newest first."""
    ids = cast(list[bytes], client.zrevrange(JOBS, 0, limit - 1))
    return [id_.decode() for id_ in _known(client, ids)]


def stopped_jobs(client: redis.Redis) -> set[str]:
    """The jobs whose files nobody shall begin."""
    return {job.decode() for job in cast(list[bytes], client.zrange(STOPPED, 0, -1))}


def _known(client: redis.Redis, ids: Sequence[bytes]) -> list[bytes]:
    """Those of these jobs of which Redis has not forgotten the facts."""
    pipe = client.pipeline(transaction=False)
    for id_ in ids:
        pipe.exists(b"darkroom:job:%b:meta" % id_)
    return [id_ for id_, known in zip(ids, pipe.execute() if ids else (), strict=True) if known]
