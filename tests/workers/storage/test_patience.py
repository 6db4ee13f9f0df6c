"""A Qdrant server that is away, busy or slow in the middle: the batch is held, the reason is told."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import redis
from celery.exceptions import Reject
from qdrant_client import QdrantClient

import workers.storage.points
import workers.storage.state
from tasks.ledger import Counts, Ledger
from tasks.messages import PointsMessage
from tasks.registry import faults, report_fault
from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.moody_server import MoodyServer
from workers.storage.points import store_points
from workers.storage.server.catalog import ServerCatalog

FILES = 3


@dataclass
class Writing:
    """One message on its way to a server, in a thread as in the worker."""

    server: MoodyServer
    ledger: Ledger
    stopping: threading.Event
    error: list[BaseException] = field(default_factory=list)

    def start(self) -> threading.Thread:
        """Begin to write; what it raises is kept."""
        thread = threading.Thread(target=self._write)
        thread.start()
        return thread

    def _write(self) -> None:
        points = [picture(number) for number in range(FILES)]
        vectors = np.stack([point.vector for point in points]).astype("<f4").tobytes()
        payloads = [point.payload for point in points]
        message = PointsMessage("job", MODEL, DIM, list(range(FILES)), vectors, payloads, [False] * FILES)
        try:
            store_points(**message.to_wire())
        except (Reject, redis.ResponseError) as error:
            self.error.append(error)


@pytest.fixture
def writing(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writing]:
    """A storage worker's task on the client's real HTTP, in front of a server that answers as it is told to."""
    stopping = threading.Event()
    with MoodyServer(DIM, MODEL) as server:
        connection = QdrantClient(url=server.url, timeout=1, check_compatibility=False)
        catalog = ServerCatalog(connection, "pictures", server.url)
        monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
        monkeypatch.setattr(workers.storage.state, "_client", client)
        monkeypatch.setattr(workers.storage.points, "stopping", stopping)
        yield Writing(server, Ledger(client, "job"), stopping)
        stopping.set()
        catalog.close()


@pytest.mark.parametrize("mood", [503, 429, "slow", "closed"])
def test_a_batch_is_held_while_the_server_is_away_and_written_when_it_is_back(
    writing: Writing, client: redis.Redis, mood: int | str
) -> None:
    writing.server.mood = mood
    thread = writing.start()
    fault = until(lambda: faults(client).get("storage"), "the reason to be told")
    assert fault.startswith(f"Qdrant at {writing.server.url} does not answer (")
    assert writing.ledger.counts() == Counts()
    writing.server.mood = 200
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert (faults(client), writing.error) == ({}, [])


def test_a_worker_that_stops_while_the_server_is_away_gives_the_batch_back(
    writing: Writing, client: redis.Redis
) -> None:
    writing.server.mood = 503
    thread = writing.start()
    until(lambda: faults(client).get("storage"), "the reason to be told")
    writing.stopping.set()
    thread.join(60)
    assert [error.requeue for error in writing.error if isinstance(error, Reject)] == [True]
    assert writing.ledger.counts() == Counts()


def test_a_batch_that_is_written_at_once_leaves_the_fault_of_another_one_alone(
    writing: Writing, client: redis.Redis
) -> None:
    report_fault(client, "storage", "something else")
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert faults(client) == {"storage": "something else"}


def test_what_redis_answers_about_a_fault_of_ours_ends_the_batch_and_is_not_asked_for_ever(
    writing: Writing, client: redis.Redis
) -> None:
    client.lpush(writing.ledger.key("stored"), "this is no bitmap")
    thread = writing.start()
    thread.join(60)
    assert not thread.is_alive()
    assert ["WRONGTYPE" in str(error) for error in writing.error] == [True]


def test_a_redis_that_takes_no_writes_is_waited_for(
    writing: Writing, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.config_set("min-replicas-to-write", "1")
    thread = writing.start()
    try:
        until(lambda: "NOREPLICAS" in caplog.text, "the worker to say what it waits for")
    finally:
        client.config_set("min-replicas-to-write", "0")
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert writing.error == []
