"""What the storage worker does when nothing is written."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage import state, worker
from workers.storage.embedded.catalog import EdgeCatalog


@pytest.fixture
def catalog(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EdgeCatalog]:
    """The catalog of an idle worker, just written to."""
    catalog = EdgeCatalog(folder, "pictures")
    monkeypatch.setattr(state, "_catalog", catalog)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.0)
    catalog.ensure(DIM, MODEL)
    catalog.upsert([picture(number) for number in range(10)])
    yield catalog
    catalog.close()


@pytest.fixture
def upkeep(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Thread]:
    """The thread of the upkeep, not started yet."""
    stopping = threading.Event()
    monkeypatch.setattr(worker, "stopping", stopping)
    thread = threading.Thread(target=worker._maintain_when_idle)
    yield thread
    stopping.set()
    thread.join()


def test_an_idle_worker_leaves_nothing_for_the_next_start_to_replay(
    catalog: EdgeCatalog, upkeep: threading.Thread
) -> None:
    shard = catalog._shard
    assert shard is not None
    assert shard.unflushed > 0
    upkeep.start()
    until(lambda: shard.unflushed == 0, "the flush")
    assert catalog.count() == 10


def test_upkeep_that_fails_is_told_in_a_sentence(
    catalog: EdgeCatalog, upkeep: threading.Thread, caplog: pytest.LogCaptureFixture
) -> None:
    assert catalog._shard is not None
    catalog._shard.engine.close()
    upkeep.start()
    (record,) = until(lambda: list(caplog.records), "a line in the log")
    assert "embedded catalog" in record.getMessage()
    assert record.exc_info is None
