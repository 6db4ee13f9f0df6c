"""A whole ingest into a Qdrant server that is not well: it waits, says why, and goes on by itself."""

import json
import subprocess
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
URL = "http://localhost:9"  # nothing listens there
FULL = "Service internal error: No space left on device: WAL buffer size exceeds available disk space"


@pytest.fixture
def server() -> Iterator[QdrantDouble]:
    """A Qdrant server, over gRPC."""
    with qdrant_double() as own:
        yield own


@pytest.fixture
def machines(redis_process: str, client: redis.Redis, server: QdrantDouble, tmp_path: Path) -> Iterator[Machines]:
    """Its storage worker, and a GPU worker."""
    (tmp_path / "machines").mkdir()
    with machines_on(redis_process, tmp_path / "machines") as own:
        own.storage(DARKROOM__QDRANT__URL=URL, DARKROOM__QDRANT__GRPC_PORT=str(server.port))
        own.gpu("gpu0@test")
        yield own


def test_a_qdrant_whose_disk_is_full_fails_no_file_and_the_ingest_goes_on_when_there_is_room(
    machines: Machines, server: QdrantDouble, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=81)
    server.always(StatusCode.INTERNAL, FULL, "Points/Upsert")
    running = machines.producer("ingest", str(pictures), module="tests.e2e.impatient")
    said = wait_for_words(running, f"storage: Qdrant's disk is full: make room on it ({URL} says: {FULL})")
    until(lambda: "Qdrant's disk is full" in machines.log("storage"), "the log to say it as well")
    assert server.store.count("pictures").count == 0
    server.recover()
    finished(running, said)
    assert server.store.count("pictures").count == FILES


def test_a_qdrant_that_goes_away_while_files_are_still_planned_is_waited_for(
    machines: Machines, server: QdrantDouble, tmp_path: Path
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", FILES, seed=82)
    away = (StatusCode.UNAVAILABLE, "restarting")
    server.mood = lambda name, request: away if name == "Points/Get" and server.calls[name] > 1 else None
    running = machines.producer("ingest", str(pictures), module="tests.e2e.small_chunks")
    said = wait_for_words(running, f"Qdrant at {URL} does not answer (restarting)")
    server.recover()
    finished(running, said)
    assert server.store.count("pictures").count == FILES


def finished(running: "subprocess.Popen[str]", said: str) -> None:
    """Wait for the end of an ingest, which must have stored everything."""
    ended = end_of(running, said)
    assert ended.returncode == 0, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (FILES, FILES, 0)
