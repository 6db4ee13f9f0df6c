"""The owner of a collection: on one Redis a single embedded catalog serves it, or its pictures would lie in two places.

A catalog has an id in a file beside it. Its storage worker holds a lease on the collection in Redis, with that id.
"""

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

import redis

from settings import Settings
from settings.errors import ServiceMissing
from tasks.broker import redis_client
from tasks.broker.scripts import run_script
from tasks.recoveries import recovered
from tasks.registry import node_name
from tasks.stack.paths import stack_paths

log = logging.getLogger("darkroom.storage")

LEASE_SECONDS = 30
RENEW_SECONDS = 5.0
STEP_SECONDS = 0.5
LEAVE_SECONDS = 2.0

# KEYS: the lease; ARGV: the claim, its seconds, the catalog's id, its place. Returns who else holds it, if anybody.
# Another process at the same place is dead: only one can open a catalog. A full Redis takes what adds data only from
# a script that has written already; PERSIST is such a write, and changes nothing here.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held then
  local owner = cjson.decode(held)
  if owner['catalog'] ~= ARGV[3] or owner['place'] ~= ARGV[4] then return held end
end
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


@dataclass(frozen=True)
class Owner:
    """A storage worker with its embedded catalog: the catalog's id and place (host:path), the worker, its process."""

    catalog: str
    place: str
    worker: str
    token: str = field(default_factory=lambda: uuid4().hex)


class Ownership:
    """The lease of one process on its collection, renewed by a thread from `take` to `release`."""

    def __init__(self, client: redis.Redis, collection: str, owner: Owner) -> None:
        self._client = client
        self._collection = collection
        self._owner = owner
        self._claim = json.dumps(asdict(owner))
        self._lost_to: Owner | None = None
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="owner", daemon=True)

    def take(self) -> None:
        """Become the owner.

        Where this very catalog was used from another place, which may have been killed, that lease is waited for.
        Raises ServiceMissing, with the owner's name, when it has another one.
        """
        deadline = time.monotonic() + LEASE_SECONDS + RENEW_SECONDS
        while (other := self._take()) is not None:
            if other.catalog != self._owner.catalog or time.monotonic() > deadline:
                recovered(self._client, "owner_refused")
                raise ServiceMissing(_refusal(self._collection, other))
            time.sleep(STEP_SECONDS)
        self._thread.start()

    def release(self) -> None:
        """Let another one be the owner; raises ServiceMissing when another one has become it meanwhile."""
        self._released.set()
        self._thread.join(LEAVE_SECONDS)
        if self._lost_to is not None:
            raise ServiceMissing(_refusal(self._collection, self._lost_to))
        with suppress(redis.RedisError):  # the lease runs out by itself
            run_script(self._client, _RELEASE, [owner_key(self._collection)], [self._claim])

    def _take(self) -> Owner | None:
        claim = [self._claim, LEASE_SECONDS, self._owner.catalog, self._owner.place]
        held = run_script(self._client, _TAKE, [owner_key(self._collection)], claim)
        return Owner(**json.loads(held)) if held else None

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            # Without Redis there is no work either. One that has lost its data hears of this owner again.
            with suppress(redis.RedisError):
                self._lost_to = self._take()
            if self._lost_to is not None:
                log.error("%s", _refusal(self._collection, self._lost_to))
                # The way in which a worker stops in good order: what it holds goes back into the queues.
                os.kill(os.getpid(), signal.SIGTERM)
                return


def owner_key(collection: str) -> str:
    """The key of the lease on a collection."""
    return f"darkroom:owner:{collection}"


@contextmanager
def owned(settings: Settings, worker: str) -> Iterator[None]:
    """Own the collection while the catalog, which this process has opened, serves it.

    Raises ServiceMissing when another embedded catalog does: at the beginning, or at the end of a lease that was lost.
    """
    if not shares_redis(settings):
        yield
        return
    folder = stack_paths(settings).catalog
    owner = Owner(catalog_id(folder, settings.qdrant.collection), _place(settings), node_name(worker))
    ownership = Ownership(redis_client(settings), settings.qdrant.collection, owner)
    ownership.take()
    try:
        yield
    finally:
        ownership.release()


def require_no_other(settings: Settings) -> None:
    """Raise ServiceMissing when another embedded catalog serves the collection, before a worker is started for it."""
    if not shares_redis(settings):
        return
    collection = settings.qdrant.collection
    client = redis_client(settings)
    held = client.get(owner_key(collection))
    client.close()
    if isinstance(held, bytes):
        owner = Owner(**json.loads(held))
        if owner.catalog != _read_id(stack_paths(settings).catalog, collection):
            raise ServiceMissing(_refusal(collection, owner))


def shares_redis(settings: Settings) -> bool:
    """True where several embedded catalogs could meet: a private Redis belongs to one data directory."""
    return settings.qdrant.url == "embedded" and settings.broker.url != "embedded"


def catalog_id(folder: Path, collection: str) -> str:
    """The id of the catalog of a collection, made at the first call; only for the process that has it open."""
    if known := _read_id(folder, collection):
        return known
    file = folder / f"{collection}.id"
    new = file.with_suffix(".id.new")
    new.write_text(uuid4().hex)
    new.rename(file)
    return _read_id(folder, collection)


def _read_id(folder: Path, collection: str) -> str:
    try:
        return (folder / f"{collection}.id").read_text().strip()
    except FileNotFoundError:
        return ""


def _place(settings: Settings) -> str:
    return f"{socket.gethostname()}:{stack_paths(settings).catalog / settings.qdrant.collection}"


def _refusal(collection: str, owner: Owner) -> str:
    host, _, path = owner.place.partition(":")
    return (
        f"The collection {collection} is in the embedded catalog of the worker {owner.worker} ({path} on {host}), and "
        "one Redis takes only one such catalog: run `python -m workers gpu` here to work for that one, name another "
        "qdrant.collection, or set qdrant.url to a server on all machines."
    )
