"""Both homes of the catalog: the embedded engine, and a server through its client.

The server is the tests' own: the official schema on the wire, gRPC and HTTP, and the embedded engine behind it. It is
the nearest there is; where `$TEST_QDRANT` names a real server, that one is asked (`make test-qdrant`).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.qdrant_double import qdrant_double
from tests.workers.storage.server.rest_server import rest_server
from workers.storage.catalog import Catalog
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.server.catalog import ServerCatalog
from workers.storage.server.connection import Connection

REAL_SERVER = os.environ.get("TEST_QDRANT", "")
# Of a real server, only this collection is touched.
COLLECTION = "darkroom-tests"


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """The address and the gRPC port of a Qdrant server."""
    if REAL_SERVER:
        yield REAL_SERVER, int(os.environ.get("TEST_QDRANT_GRPC", "6334"))
        return
    with qdrant_double() as double, rest_server(double.store) as url:
        yield url, double.port


def connected(server: tuple[str, int], over_grpc: bool) -> Connection:
    """A connection to the server over gRPC, or over HTTP alone."""
    url, port = server
    http = QdrantClient(url=url, timeout=60, check_compatibility=False)
    if not over_grpc:
        return Connection(url, http)
    return Connection(url, http, QdrantClient(url=url, grpc_port=port, prefer_grpc=True, check_compatibility=False))


@pytest.fixture(params=["edge", "server"])
def empty(request: pytest.FixtureRequest, folder: Path) -> Iterator[Catalog]:
    """A catalog whose collection does not exist yet."""
    if request.param == "edge":
        catalog: Catalog = EdgeCatalog(folder, "pictures")
    else:
        catalog = ServerCatalog(connected(request.getfixturevalue("server"), over_grpc=True), COLLECTION)
        catalog.drop()
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
