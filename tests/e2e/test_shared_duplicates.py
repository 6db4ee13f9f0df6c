"""A search for duplicates with two storage workers on one Qdrant server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from qdrant_client import models

from tests.e2e.several_machines import Machines, ended, machines_on
from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.qdrant_double import QdrantDouble, qdrant_double
from workers.storage.duplicates.search import PAGE_POINTS
from workers.storage.duplicates.shared_search import KEY

pytestmark = pytest.mark.e2e

POINTS = 3 * PAGE_POINTS
PAIRS = POINTS // 2
ONE_SEARCH = 3


@pytest.fixture
def server() -> Iterator[QdrantDouble]:
    """A Qdrant server that holds every picture twice."""
    with qdrant_double() as own:
        vectors = models.VectorParams(size=DIM, distance=models.Distance.COSINE)
        own.store.create_collection("pictures", vectors, {"clip_model": MODEL})
        # Without coordinates, so that no worker looks at the points for the names of their places.
        points = [picture(number, gps=None, sha256=f"{number % PAIRS:064x}") for number in range(POINTS)]
        own.store.upsert("pictures", [(point.id, point.vector.tolist(), point.payload) for point in points])
        yield own


@pytest.fixture
def machines(redis_process: str, client: redis.Redis, server: QdrantDouble, tmp_path: Path) -> Iterator[Machines]:
    """Two storage workers on that server."""
    (tmp_path / "machines").mkdir()
    address = {"DARKROOM__QDRANT__URL": "http://localhost:9", "DARKROOM__QDRANT__GRPC_PORT": str(server.port)}
    with machines_on(redis_process, tmp_path / "machines") as own:
        for name in ("storage@one", "storage@two"):
            own.storage(name, **address)
        yield own


class Gate:
    """Holds up the second page of a search until it is opened."""

    def __init__(self, server: QdrantDouble) -> None:
        self._open = threading.Event()
        self._server = server
        server.mood = self._wait

    def _wait(self, name: str, request: Any) -> None:
        if name == "Points/Scroll" and self._server.calls[name] >= 2:
            self._open.wait(60)

    def open(self) -> None:
        """Let all pages through."""
        self._open.set()


def owner(client: redis.Redis) -> str | None:
    """The run that has the search."""
    # A lease may run out between the two questions.
    found = [client.get(key) for key in client.scan_iter(f"{KEY}*:owner")]
    return next((value.decode() for value in found if isinstance(value, bytes)), None)


def answered(client: redis.Redis) -> int:
    """How many results Redis has been given by workers."""
    info: dict[str, Any] = client.info("commandstats")
    return int(info.get("cmdstat_publish", {}).get("calls", 0))


def test_two_storage_workers_answer_for_one_search(
    machines: Machines, server: QdrantDouble, client: redis.Redis
) -> None:
    gate = Gate(server)
    before = answered(client)
    running = machines.producer("duplicates")
    until(lambda: owner(client) and answered(client) > before + 30, "thirty questions to be answered meanwhile")
    gate.open()
    found = ended(running)
    assert (found["exit"], found["points"], len(found["groups"])) == (0, POINTS, PAIRS)
    assert server.calls["Points/Scroll"] == ONE_SEARCH


def test_a_search_whose_storage_worker_is_killed_is_begun_anew_by_the_other_one(
    machines: Machines, server: QdrantDouble, client: redis.Redis
) -> None:
    gate = Gate(server)
    running = machines.producer("duplicates")
    until(lambda: server.calls["Points/Scroll"] == 2, "the search to be in its middle")
    first = owner(client)
    assert first is not None
    name = first.split()[0]
    machines.kill(name)
    # What is left of its lease; nobody is taken for dead because the machine stands still for a second or two.
    for key in client.scan_iter(f"{KEY}*:owner"):
        client.pexpire(key, 500)
    second = until(lambda: owner(client) if owner(client) not in (None, first) else None, "the search to be taken over")
    assert second.split()[0] != name
    gate.open()
    found = ended(running)
    assert (found["exit"], found["points"], len(found["groups"])) == (0, POINTS, PAIRS)
    assert server.calls["Points/Scroll"] == 2 + ONE_SEARCH
