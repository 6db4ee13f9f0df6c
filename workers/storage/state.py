"""What every task of the storage worker shares: the one catalog of this process, and its Redis client."""

import threading
import time
import uuid

import redis

from settings import Settings
from tasks.broker import redis_client
from tasks.registry import worker_name
from tasks.stack_paths import stack_paths
from workers.storage.catalog import Catalog

NAME = worker_name("storage")

stopping = threading.Event()
_catalog: Catalog | None = None
_client: redis.Redis | None = None
_last_write = time.monotonic()


def open_catalog(settings: Settings) -> Catalog:
    """The catalog that `qdrant.url` names; nothing is created yet.

    Raises ServiceMissing where the server does not answer or the embedded catalog is in use by another process.
    """
    if settings.qdrant.url == "embedded":
        # Imported here, because the server's machines need no embedded engine and the laptop's no client.
        from workers.storage.embedded.catalog import EdgeCatalog

        return EdgeCatalog(stack_paths(settings).catalog, settings.qdrant.collection)
    from workers.storage.server.catalog import ServerCatalog
    from workers.storage.server.connection import connect
    from workers.storage.server.layout import layout_of

    return ServerCatalog(connect(settings), settings.qdrant.collection, settings.qdrant.safe_url, layout_of(settings))


def open_process(settings: Settings) -> None:
    """Open the catalog and the Redis client; raises ServiceMissing when Qdrant cannot be reached or is in use."""
    global _catalog, _client
    # The embedded engine must not be used after a fork: it is opened here, and the thread pool never forks.
    _catalog = open_catalog(settings)
    _client = redis_client(settings)


def catalog() -> Catalog:
    """The catalog of this process."""
    if _catalog is None:
        raise RuntimeError("start the storage worker by `python -m workers storage`")
    return _catalog


def client() -> redis.Redis:
    """The Redis client of this process."""
    if _client is None:
        raise RuntimeError("start the storage worker by `python -m workers storage`")
    return _client


def note_write() -> None:
    """Remember that something was written just now."""
    global _last_write
    _last_write = time.monotonic()


def idle_seconds() -> float:
    """Seconds since the last write."""
    return time.monotonic() - _last_write


def point_id(uri: str) -> str:
    """The id of a file's point: the same for every delivery and every run, so that a repetition overwrites."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, uri))
