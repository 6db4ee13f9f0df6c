"""A batch on its way through the storage worker's task to a Qdrant server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import redis
from celery.exceptions import Reject

import workers.storage.points
import workers.storage.state
from tasks.ledger import Ledger
from tasks.messages import PointsMessage, Target
from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage.points import store_points
from workers.storage.server.catalog import ServerCatalog
from workers.storage.server.connection import Connection

FILES = 3


@dataclass
class Writing:
    """A message in the hands of a storage worker, in a thread as there; what it raises is kept."""

    ledger: Ledger
    stopping: threading.Event
    error: list[BaseException] = field(default_factory=list)
    collection: str = "pictures"
    payload: dict[str, Any] = field(default_factory=dict)

    def start(self) -> threading.Thread:
        """Begin to write."""
        thread = threading.Thread(target=self._write)
        thread.start()
        return thread

    def _write(self) -> None:
        points = [picture(number, **self.payload) for number in range(FILES)]
        vectors = np.stack([point.vector for point in points]).astype("<f4").tobytes()
        payloads = [point.payload for point in points]
        message = PointsMessage(
            Target(self.collection, MODEL), "job", DIM, list(range(FILES)), vectors, payloads, [False] * FILES
        )
        try:
            store_points(**message.to_wire())
        except (Reject, redis.ResponseError) as error:
            self.error.append(error)


@contextmanager
def writing_to(connection: Connection, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writing]:
    """What a storage worker with this connection does, until the block ends."""
    stopping = threading.Event()
    catalog = ServerCatalog(connection, "pictures")
    monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
    monkeypatch.setattr(workers.storage.state, "_client", client)
    monkeypatch.setattr(workers.storage.points, "stopping", stopping)
    yield Writing(Ledger(client, "job"), stopping)
    stopping.set()
    catalog.close()
