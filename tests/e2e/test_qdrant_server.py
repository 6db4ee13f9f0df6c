"""A whole ingest into a Qdrant server that is not well: it waits, says why, and goes on by itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from grpc import StatusCode

from tests.e2e.ingests import draw_pictures, end_of, wait_for_words
from tests.e2e.several_machines import Machines, machines_on
from tests.until import until
from tests.workers.storage.server.qdrant_double import QdrantDouble, qdrant_double

pytestmark = pytest.mark.e2e

FILES = 40
FULL = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"


@pytest.fixture
def machines(redis_process: str, client: redis.Redis, tmp_path: Path) -> Iterator[Machines]:
    """A cluster without any worker yet."""
    (tmp_path / "machines").mkdir()
    with machines_on(redis_process, tmp_path / "machines") as own:
        yield own


@pytest.fixture
def server() -> Iterator[QdrantDouble]:
    """A Qdrant server, over gRPC."""
    with qdrant_double() as own:
        yield own


def test_a_qdrant_whose_disk_is_full_fails_no_file_and_the_ingest_goes_on_when_there_is_room(
    machines: Machines, server: QdrantDouble, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=81)
    address = {"DARKROOM__QDRANT__URL": "http://localhost:9", "DARKROOM__QDRANT__GRPC_PORT": str(server.port)}
    machines.storage(**address)
    machines.gpu("gpu0@test")
    server.always(StatusCode.INTERNAL, FULL, "Points/Upsert")
    running = machines.producer("ingest", str(pictures), module="tests.e2e.impatient")
    said = wait_for_words(running, f"storage: Qdrant's disk is full: make room on it (http://localhost:9 says: {FULL})")
    until(lambda: "Qdrant's disk is full" in machines.log("storage"), "the log to say it as well")
    assert server.store.count("pictures").count == 0
    server.recover()
    ended = end_of(running, said)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (FILES, FILES, 0)
    assert server.store.count("pictures").count == FILES
