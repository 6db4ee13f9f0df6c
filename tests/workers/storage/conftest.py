"""Both homes of the catalog: the embedded engine, and a server through its client.

No real Qdrant server was at hand, so the server's adapter runs over the client's own in-memory mode, a lenient double:
it is more forgiving than a server and not safe for threads, which is why its calls are made one at a time here.
"""

import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient

from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage.catalog import Catalog
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.server.catalog import ServerCatalog
from workers.storage.server.connection import Connection


class OneAtATime:
    """A client whose calls wait for each other."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self._lock, warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Payload indexes have no effect")
                return method(*arguments, **named)

        return call


@pytest.fixture(params=["edge", "server"])
def empty(request: pytest.FixtureRequest, folder: Path) -> Iterator[Catalog]:
    """A catalog whose collection does not exist yet."""
    catalog: Catalog
    if request.param == "edge":
        catalog = EdgeCatalog(folder, "pictures")
    else:
        client: Any = OneAtATime(QdrantClient(":memory:"))
        catalog = ServerCatalog(Connection("http://localhost:6333", client), "pictures")
    yield catalog
    catalog.close()


@pytest.fixture
def catalog(empty: Catalog) -> Catalog:
    """A catalog with an empty collection."""
    empty.ensure(DIM, MODEL)
    return empty


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """A catalog with the pictures 0 to 9."""
    catalog.upsert([picture(number) for number in range(10)])
    return catalog


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the machine has room: each index of a new collection costs dozens of fsyncs."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as path:
        yield Path(path)
