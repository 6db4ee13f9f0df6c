"""One job on a real Redis and a real catalog, whose workers, time and mishaps are in the hands of a test.

What a kill, a power cut and the time do is done to Redis itself: nothing of the transport, the window, the ledger, the
reconciliation, the owner's lease and the storage task is replaced.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import redis
from celery.worker.request import Request

import workers.storage.state as storage
from pictures.uris import point_id
from producer.ingest.plan import Numbered
from producer.ingest.reconcile import Reconciler
from producer.ingest.sources.scan import FileRef
from producer.ingest.window import Window
from tasks.app import app
from tasks.ledger import Ledger
from tasks.messages import FilesMessage, PointsMessage, Target, UnknownSchema
from tasks.queues import FILES, POINTS, UNACKED_INDEX
from tasks.registry import FAULTS, WORKERS
from tests.proof.hands import Died, Hands
from tests.workers.storage.pictures import DIM, MODEL
from workers.gpu.worker import _publish
from workers.storage.catalog import Catalog
from workers.storage.owner import Owner, Ownership
from workers.storage.points import store_points

FILES_OF_A_JOB = 8
WINDOW = 4
TARGET = Target("pictures", MODEL, "")
# Less than a third of every lease: a living worker renews within each step of the time.
STEP_SECONDS = 8.0


class World:
    """A job of FILES_OF_A_JOB files; `number` tells its files and its job from those of other worlds."""

    def __init__(self, client: redis.Redis, catalog: Catalog, number: int) -> None:
        client.config_set("maxmemory", "0")
        client.flushall()
        self.client, self.catalog, self.number = client, catalog, number
        storage._catalog, storage._client = catalog, client
        catalog.ensure(DIM, MODEL)
        self.ledger = Ledger(client, f"job{number}")
        assert self.ledger.open(self.root)
        self.window = Window(self.ledger, TARGET, self.root, WINDOW, 1)
        self.reconciler = Reconciler(client, self.ledger, self.window)
        self.now = 1000.0
        self.waiting = [self._file(number) for number in range(FILES_OF_A_JOB)]
        self.may_be_missing: set[int] = set()
        self.full = False
        self.owner = Ownership(client, "pictures", Owner("ours", "host:/ours", "storage@host"))
        assert self.owner._take() is None
        self.gpu: Hands | None = Hands(FILES)
        self.storage: Hands | None = Hands(POINTS)
        self.disk: dict[bytes, tuple[bytes, int]] = {}
        self.second_passes()

    @property
    def root(self) -> str:
        """Where the files lie."""
        return f"file:///world{self.number}"

    def uri(self, number: int) -> str:
        """The URI of a file."""
        return f"{self.root}/{number}.png"

    def vector(self, number: int) -> Any:
        """The embedding of a file, float32 (DIM,)."""
        vector = np.random.default_rng([self.number, number]).standard_normal(DIM).astype(np.float32)
        return vector / np.linalg.norm(vector)

    def _file(self, number: int) -> Numbered:
        return Numbered(number, FileRef(self.uri(number), 100, 1))

    def publish(self) -> None:
        """Enqueue as many files as the window has room for; a full Redis takes none, and they are tried again."""
        batch = self.waiting[: self.window.room]
        with suppress(redis.exceptions.OutOfMemoryError):
            if batch:
                self.window.enqueue(batch)
                self.waiting = self.waiting[len(batch) :]
                return
        for entry in batch:
            # The producer says it again until it is through; until then it has not counted them as under way.
            self.window.under_way.pop(entry.number, None)

    def compute(self, hands: Hands, dies_before_ack: bool = False) -> None:
        """A GPU worker's work on the first message that it holds."""
        message = hands.held.pop(0)
        try:
            files = FilesMessage.from_wire(message.payload[1])
        except UnknownSchema:
            hands.acknowledge(message, self.client)
            return
        numbers = [item.number for item in files.files]
        vectors = np.stack([self.vector(number) for number in numbers]).astype("<f4").tobytes()
        payloads = [{"uri": item.uri, "sha256": f"{item.number:064x}"} for item in files.files]
        _publish(PointsMessage(TARGET, files.job, DIM, numbers, vectors, payloads, [False] * len(numbers)))
        if dies_before_ack:
            raise Died
        hands.acknowledge(message, self.client)

    def store(self, hands: Hands, dies: str = "") -> None:
        """The storage worker's task on the first message that it holds, by Celery; it may die at one of three moments.

        "before the write", "before the ledger" (after the write) or "before the ack" (after the ledger).
        """
        message = hands.held.pop(0)
        request = Request(
            message, on_ack=lambda *_: hands.acknowledge(message, self.client), app=app, task=store_points
        )
        with _dying(self.catalog, dies):
            request.execute()

    def second_passes(self) -> None:
        """Redis has written to disk what it knows now."""
        keys = cast(list[bytes], self.client.keys("*"))
        self.disk = {key: (cast(bytes, self.client.dump(key)), self.client.pttl(key)) for key in keys}

    def lose_last_second(self) -> None:
        """Redis comes back as it was when a second last passed."""
        self.has_room()
        self.client.flushall()
        for key, (value, left) in self.disk.items():
            self.client.restore(key, max(left, 0), value)
        self.owner._take()
        self.may_be_missing |= self.missing()

    def becomes_full(self) -> None:
        """Redis has no memory left."""
        self.client.config_set("maxmemory", "1")
        self.full = True

    def has_room(self) -> None:
        """Redis has memory again."""
        self.client.config_set("maxmemory", "0")
        self.full = False

    def time_passes(self, seconds: float) -> None:
        """Move every time that stands in Redis into the past, while who lives renews what is theirs."""
        while seconds > 0:
            step = min(seconds, STEP_SECONDS)
            seconds -= step
            self.now += step
            self.client.config_set("maxmemory", "0")
            self._shift(step)
            if self.full:
                self.becomes_full()
            for hands in (self.gpu, self.storage):
                if hands:
                    hands.renew()
            assert self.owner._take() is None

    def _shift(self, seconds: float) -> None:
        for tag, score in cast(list[tuple[bytes, float]], self.client.zrange(UNACKED_INDEX, 0, -1, withscores=True)):
            self.client.zadd(UNACKED_INDEX, {tag: score - seconds})
        for name in (WORKERS, FAULTS):
            for field, entry in cast(dict[bytes, bytes], self.client.hgetall(name)).items():
                until_, _, text = entry.partition(b" ")
                self.client.hset(name, field, b"%.6f %b" % (float(until_) - seconds, text))
        for key in cast(list[bytes], self.client.keys("*")):
            if (left := self.client.pttl(key)) > 0:
                self.client.pexpire(key, max(1, left - int(seconds * 1000)))

    def missing(self) -> set[int]:
        """Files under way that stand in no message and have not ended."""
        under_way = set(self.window.under_way)
        missing: set[int] = under_way - self.reconciler._in_messages()
        return missing - self.ledger.done(list(missing))

    def stored_points(self) -> dict[str, Any]:
        """URI -> the point of each file of this job in the catalog."""
        ids = [point_id(self.uri(number)) for number in range(FILES_OF_A_JOB)]
        points = self.catalog.payloads(ids, ["uri"])
        return {payload["uri"]: id_ for id_, payload in points.items()}


@contextmanager
def _dying(catalog: Catalog, moment: str) -> Iterator[None]:
    """Inside this context the storage task dies at that moment; "" for never."""

    def die_around(method: Callable[..., Any], after: bool) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if after:
                method(*arguments)
            raise Died

        return call

    if moment == "before the ack":
        with patch.object(Ledger, "stored", die_around(Ledger.stored, after=True)):
            yield
    elif moment:
        with patch.object(catalog, "upsert", die_around(catalog.upsert, after=moment == "before the ledger")):
            yield
    else:
        yield
