"""A search that one storage worker runs and every storage worker answers for: its progress and result are in Redis.

Below darkroom:duplicates:TOKEN, the name that the asker gave it: a hash with what is known of the search; `:asked`,
there while somebody asks after it; `:owner`, the run that works on it, a lease; `:pages:RUN`, its groups, some 24 bytes
a picture. All of it is forgotten when nobody has asked for KEEP_SECONDS.
"""

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import msgpack
import redis

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.registry import node_name

KEY = "darkroom:duplicates:"
ASKED_SECONDS = 60
KEEP_SECONDS = 120
LEASE_SECONDS = 30
RENEW_SECONDS = 0.5
# A search that ends with its worker, perhaps for want of memory, must not end one worker after the other.
MOST_RUNS = 2
PAGE_ROWS = 1000
_KINDS = (WrongUse, ServiceMissing, DarkroomError)

# Of pictures: the id of the point, and the cosine to the first of the group.
Group = list[tuple[str, float]]


@dataclass(frozen=True)
class Found:
    """The result of a search: how many points it has read, how many groups there are, the key and number of pages."""

    points: int
    total: int
    key: str
    pages: int


@dataclass(frozen=True)
class State:
    """What is known of a search: the share that is done, and at its end the error or the result."""

    done: float = 0.0
    failure: DarkroomError | None = None
    found: Found | None = None


class SharedSearch:
    """The search `token`, as any storage worker sees it."""

    def __init__(self, client: redis.Redis, token: str) -> None:
        self._client = client
        self._key = f"{KEY}{token}"

    def look(self) -> State:
        """What is known of the search; this also notes that somebody asks after it."""
        pipe = self._client.pipeline(transaction=False)
        pipe.set(f"{self._key}:asked", 1, ex=ASKED_SECONDS)
        pipe.expire(self._key, KEEP_SECONDS)
        pipe.hgetall(self._key)
        fields = cast(dict[bytes, bytes], pipe.execute()[-1])
        if b"found" in fields:
            return State(1.0, found=Found(*msgpack.unpackb(fields[b"found"])))
        if b"failure" in fields:
            kind, sentence = msgpack.unpackb(fields[b"failure"])
            return State(failure=next(cls for cls in _KINDS if cls.__name__ == kind)(sentence))
        return State(float(fields.get(b"done", 0.0)))

    def take(self, stopping: threading.Event) -> "Run | None":
        """A new run of the search if no living worker has one; the caller must carry it out.

        Once a worker has died with the search it begins anew; after the second death it fails.
        """
        run = f"{node_name('storage')} {uuid.uuid4().hex}"
        if not self._client.set(f"{self._key}:owner", run, nx=True, ex=LEASE_SECONDS):
            return None
        own = Run(self._client, self._key, run, stopping)
        # The last owner may have finished since the caller looked.
        state = self.look()
        if state.found or state.failure:
            return None
        if self._client.hincrby(self._key, "runs", 1) > MOST_RUNS:
            own.fail(
                DarkroomError(f"The search has ended {MOST_RUNS} times with its storage worker: see its log (memory?).")
            )
            return None
        self._client.hset(self._key, "done", 0.0)
        self._client.expire(self._key, KEEP_SECONDS)
        return own

    def page(self, found: Found, number: int) -> list[Group]:
        """Page `number` of the groups; raises DarkroomError where nobody asked for it for too long."""
        raw = cast(bytes | None, self._client.hget(found.key, str(number)))
        self._client.expire(found.key, KEEP_SECONDS)
        if raw is None:
            raise DarkroomError("The result of the search was forgotten, as nobody asked for it: search again.")
        return [[(str(uuid.UUID(bytes=id_)), cosine) for id_, cosine in group] for group in msgpack.unpackb(raw)]


class Run:
    """One worker's run of a search, which it holds by a lease."""

    def __init__(self, client: redis.Redis, key: str, run: str, stopping: threading.Event) -> None:
        self._client = client
        self._key = key
        self._run = run
        self._stopping = stopping
        self._is_lost = False

    def is_over(self) -> bool:
        """True when nobody asks any more, another worker has taken the search over, or this one stops."""
        return self._is_lost or self._stopping.is_set()

    def renew(self, done: float) -> None:
        """Renew the lease, and tell the share that is done; to be called every RENEW_SECONDS."""
        with suppress(redis.RedisError):  # without Redis nobody can take the search over either
            owner, is_asked = self._client.get(f"{self._key}:owner"), self._client.exists(f"{self._key}:asked")
            if owner != self._run.encode() or not is_asked:
                self._is_lost = True
                return
            pipe = self._client.pipeline()
            pipe.expire(f"{self._key}:owner", LEASE_SECONDS)
            pipe.hset(self._key, "done", done)
            pipe.expire(self._key, KEEP_SECONDS)
            pipe.execute()

    def finish(self, groups: Iterable[Group], points: int) -> None:
        """Keep the result, unless another run was first."""
        key, total, pages = f"{self._key}:pages:{self._run}", 0, 0
        for page in _pages(groups):
            packed = [[(uuid.UUID(id_).bytes, cosine) for id_, cosine in group] for group in page]
            # By its number, because a command is sent again after a lost connection.
            self._client.hset(key, str(pages), msgpack.packb(packed, use_single_float=True))
            self._client.expire(key, KEEP_SECONDS)
            total, pages = total + len(page), pages + 1
        self._end("found", [points, total, key, pages])

    def fail(self, error: DarkroomError) -> None:
        """Keep the error that ended the search, unless another run goes on with it."""
        if self._is_lost:
            return
        kind = next(cls for cls in _KINDS if isinstance(error, cls)).__name__
        self._end("failure", [kind, str(error)])

    def release(self) -> None:
        """Let another worker begin anew at once where this run has not come to its end; then it does not count."""
        with suppress(redis.RedisError):
            if self._client.get(f"{self._key}:owner") == self._run.encode():
                self._client.delete(f"{self._key}:owner")
                self._client.hincrby(self._key, "runs", -1)
                self._client.expire(self._key, KEEP_SECONDS)

    def _end(self, field: str, value: list[object]) -> None:
        self._client.hsetnx(self._key, field, msgpack.packb(value))
        self._client.expire(self._key, KEEP_SECONDS)


def _pages(groups: Iterable[Group]) -> Iterator[list[Group]]:
    """The groups in pages of PAGE_ROWS pictures or a few more."""
    page: list[Group] = []
    rows = 0
    for group in groups:
        page.append(group)
        rows += len(group)
        if rows >= PAGE_ROWS:
            yield page
            page, rows = [], 0
    if page:
        yield page
