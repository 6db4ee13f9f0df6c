"""What the tasks of the storage worker share: the catalog of this process, and its Redis client."""

import threading
import time

import redis

from settings import Settings
from tasks.broker import redis_client
from tasks.registry import worker_name
from tasks.stack.paths import stack_paths
from workers.storage.catalog import Catalog

WORKER_NAME = worker_name("storage")

stopping = threading.Event()
_catalog: Catalog | None = None
_client: redis.Redis | None = None
_last_write = time.monotonic()


def open_catalog(settings: Settings) -> Catalog:
    """The catalog that `qdrant.url` names; nothing is created yet.

    Raises ServiceMissing if the server does not answer or another process uses the embedded catalog.
    """
    if settings.qdrant.url == "embedded":
        # Imported here, because a machine needs only one of the two libraries.
        from workers.storage.embedded.catalog import EdgeCatalog

        return EdgeCatalog(stack_paths(settings).catalog, settings.qdrant.collection)
    from workers.storage.server.catalog import ServerCatalog
    from workers.storage.server.connection import connect
    from workers.storage.server.layout import layout_of

    return ServerCatalog(connect(settings), settings.qdrant.collection, layout_of(settings))


def initialize(settings: Settings) -> None:
    """Open the catalog and the Redis client of this process; raises ServiceMissing as `open_catalog` does."""
    global _catalog, _client
    # The embedded engine does not survive a fork: it is opened in the worker itself, whose thread pool never forks.
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


def record_write() -> None:
    """Restart the count of `idle_seconds`."""
    global _last_write
    _last_write = time.monotonic()


def idle_seconds() -> float:
    """Seconds since the last write."""
    return time.monotonic() - _last_write
