"""The ledger of a job: one bit a file and outcome in Redis, so that counting twice counts once.

Every file of a job has a number. `stored`, `failed`, `skipped` and `reused` are bitmaps over those numbers, `errors`
is a hash from number to what went wrong. A file stands in at most one of stored, failed and skipped, and a
confirmed write always wins: a file that failed once and was stored by a later delivery is stored.
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgpack
import redis

JOBS = "darkroom:jobs"
KEEP_SECONDS = 30 * 24 * 3600
OUTCOMES = ("stored", "failed", "skipped", "reused")

# KEYS: stored, failed, errors; ARGV: number, error, number, error, ...
_FAIL = """
for i = 1, #ARGV, 2 do
  if redis.call('GETBIT', KEYS[1], ARGV[i]) == 0 then
    redis.call('SETBIT', KEYS[2], ARGV[i], 1)
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
"""


@dataclass(frozen=True)
class Failure:
    """Why one file failed: at which stage, and the reason in words."""

    number: int
    uri: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Counts:
    """How many files ended how; `reused` is a part of `stored`."""

    stored: int = 0
    failed: int = 0
    skipped: int = 0
    reused: int = 0

    @property
    def finished(self) -> int:
        """Files that need nothing more."""
        return self.stored + self.failed + self.skipped


def new_job_id() -> str:
    """A name that sorts by time and does not repeat: 20260131-142501-9f3a."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"


class Ledger:
    """The record of one job in Redis. Every write may be repeated without harm."""

    def __init__(self, client: redis.Redis, job: str) -> None:
        self.client = client
        self.job = job
        self._fail = client.register_script(_FAIL)

    def key(self, part: str) -> str:
        """The Redis key of one part of this job."""
        return f"darkroom:job:{self.job}:{part}"

    def open(self, root: str, **facts: str | int | float) -> None:
        """Begin the job and put it on the list of jobs."""
        now = time.time()
        beginning: dict[Any, Any] = {"root": root, "started": now, "state": "running", **facts}
        pipe = self.client.pipeline()
        pipe.hset(self.key("meta"), mapping=beginning)
        pipe.zadd(JOBS, {self.job: now})
        pipe.zremrangebyscore(JOBS, 0, now - KEEP_SECONDS)
        for part in ("meta", "errors", "attempts", *OUTCOMES):
            pipe.expire(self.key(part), KEEP_SECONDS)
        pipe.execute()

    def note(self, **facts: str | int | float) -> None:
        """Write facts about the job as a whole, such as its total or its state."""
        self.client.hset(self.key("meta"), mapping=dict[Any, Any](facts))

    def meta(self) -> dict[str, str]:
        """All facts about the job; empty for a job that does not exist."""
        found = cast(dict[bytes, bytes], self.client.hgetall(self.key("meta")))
        return {key.decode(): value.decode(errors="replace") for key, value in found.items()}

    def stored(self, numbers: Sequence[int], reused: Sequence[bool]) -> None:
        """Tick files whose write is confirmed."""
        pipe = self.client.pipeline(transaction=True)
        for number, was_reused in zip(numbers, reused, strict=True):
            pipe.setbit(self.key("stored"), number, 1)
            pipe.setbit(self.key("failed"), number, 0)
            if was_reused:
                pipe.setbit(self.key("reused"), number, 1)
        if numbers:
            pipe.hdel(self.key("errors"), *map(str, numbers))
            self._keep(pipe)
            pipe.execute()

    def failed(self, failures: Iterable[Failure]) -> None:
        """Tick files that failed, with their reasons; a file that is stored stays stored."""
        arguments: list[Any] = []
        for failure in failures:
            arguments += [failure.number, msgpack.packb([failure.uri, failure.stage, failure.reason])]
        if arguments:
            self._fail(keys=[self.key("stored"), self.key("failed"), self.key("errors")], args=arguments)
            self._keep(self.client)

    def skipped(self, numbers: Sequence[int]) -> None:
        """Tick files that the collection already holds unchanged."""
        pipe = self.client.pipeline(transaction=False)
        for number in numbers:
            pipe.setbit(self.key("skipped"), number, 1)
        self._keep(pipe)
        pipe.execute()

    def counts(self) -> Counts:
        """How many files ended how, by now."""
        pipe = self.client.pipeline(transaction=True)
        for outcome in OUTCOMES:
            pipe.bitcount(self.key(outcome))
        return Counts(*pipe.execute())

    def done(self, numbers: Sequence[int]) -> set[int]:
        """Which of these files are stored, failed or skipped already."""
        if not numbers:
            return set()
        pipe = self.client.pipeline(transaction=False)
        first, last = min(numbers) // 8, max(numbers) // 8
        # The window of a job spans few bytes; asking for the stretch beats one GETBIT a file.
        for outcome in ("stored", "failed", "skipped"):
            pipe.getrange(self.key(outcome), first, last)
        stretches = [bytes(stretch) for stretch in pipe.execute()]
        return {number for number in numbers if any(_bit(stretch, number - 8 * first) for stretch in stretches)}

    def failures(self, limit: int | None = None) -> list[Failure]:
        """The failed files in the order of their numbers, at most `limit`."""
        found = []
        for number, packed in self.client.hscan_iter(self.key("errors"), count=1000):
            uri, stage, reason = msgpack.unpackb(packed)
            found.append(Failure(int(number), uri, stage, reason))
        found.sort(key=lambda failure: failure.number)
        return found[:limit]

    def count_attempt(self, number: int) -> int:
        """Note that a redelivered file is being tried once more; returns how often it has been, this time included."""
        attempts = self.client.hincrby(self.key("attempts"), str(number), 1)
        self.client.expire(self.key("attempts"), KEEP_SECONDS)
        return attempts

    def forget_attempt(self, number: int) -> None:
        """Take back the note of one attempt: the file was loaded and its worker still lives."""
        self.client.hincrby(self.key("attempts"), str(number), -1)

    def _keep(self, client: Any) -> None:
        for part in ("errors", *OUTCOMES):
            client.expire(self.key(part), KEEP_SECONDS)


def jobs(client: redis.Redis, limit: int = 100) -> list[str]:
    """The names of the jobs, newest first."""
    return [name.decode() for name in cast(list[bytes], client.zrevrange(JOBS, 0, limit - 1))]


def _bit(stretch: bytes, offset: int) -> bool:
    # Redis numbers the bits of a byte from the most significant one.
    place = offset // 8
    return place < len(stretch) and bool(stretch[place] >> (7 - offset % 8) & 1)
