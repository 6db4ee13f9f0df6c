"""What `python -m workers check` finds: whether this machine has what its workers need, one sentence a thing."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import redis

from settings import Settings
from tasks.app import redis_client
from tasks.errors import DarkroomError
from tasks.local import local_paths
from tasks.paths import paths_of
from tasks.remote import filesystem
from tasks.uris import place

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok`, worth a `note`, or `bad`, which keeps workers from working."""

    check: str
    state: State
    says: str

    def as_json(self) -> dict[str, str]:
        """The same for programs."""
        return asdict(self)


def findings(settings: Settings, load: bool) -> Iterator[Finding]:
    """Look at everything in turn; with `load` the models are loaded and one picture is put through them."""
    from workers.check_models import device, model

    yield _found("broker", lambda: _broker(settings))
    yield _found("qdrant", lambda: _qdrant(settings))
    yield _found("clip", lambda: model(settings, "clip"))
    if settings.models.captions:
        yield _found("blip", lambda: model(settings, "blip"))
    yield _found("device", lambda: device(settings, load))
    yield _found("data", lambda: _data(settings))
    for named, folder in settings.paths.map.items():
        yield _found("map", partial(_folder, os.fsencode(folder), f"{named} is {folder}"))
    for root in settings.paths.allowed:
        yield _found("root", partial(_root, settings, root))


def _found(check: str, look: Callable[[], tuple[State, str]]) -> Finding:
    try:
        return Finding(check, *look())
    except DarkroomError as error:
        return Finding(check, "bad", str(error))


def _broker(settings: Settings) -> tuple[State, str]:
    if settings.broker.url == "embedded":
        from workers.local.redis_server import redis_server

        return "ok", f"embedded: {redis_server()}"
    address = settings.broker.safe_url
    from workers.local.broker import Broker

    Broker(settings, "check").require()
    client = redis_client(settings)
    try:
        facts: dict[str, Any] = client.info("everything")
    except redis.RedisError as error:
        return "note", f"{address} answers, but tells nothing of itself ({error})."
    finally:
        client.close()
    policy, logged = facts.get("maxmemory_policy", "unknown"), bool(facts.get("aof_enabled"))
    version = f"{address}: Redis {facts.get('redis_version', 'of unknown version')}"
    if policy not in ("noeviction", "unknown"):
        return "bad", f"{version} drops data when it is full ({policy}): set its maxmemory-policy to noeviction."
    if not logged:
        return "note", f"{version}, {policy}; without its append-only file a restart loses what is in the queues."
    return "ok", f"{version}, {policy}, append-only file on"


def _qdrant(settings: Settings) -> tuple[State, str]:
    embedded = settings.qdrant.url == "embedded"
    package = "qdrant_edge" if embedded else "qdrant_client"
    if importlib.util.find_spec(package) is None:
        return (
            "note",
            f"{package} is not installed, so no storage worker runs here: pip install 'darkroom[storage]'.",
        )
    if embedded:
        return "ok", f"embedded: {local_paths(settings).catalog / settings.qdrant.collection}"
    from workers.storage.connect import server_version

    return "ok", f"{settings.qdrant.safe_url}: Qdrant {server_version(settings)}"


def _data(settings: Settings) -> tuple[State, str]:
    local = local_paths(settings)
    local.create()
    return "ok", f"{local.data} can be written"


def _folder(folder: bytes, named: str) -> tuple[State, str]:
    try:
        with os.scandir(folder) as listing:
            if next(listing, None) is None:
                return "bad", f"{named}: an empty folder; is it mounted?"
    except OSError as error:
        return "bad", f"{named}: cannot be read ({error.strerror}); is it mounted?"
    return "ok", named


def _root(settings: Settings, root: str) -> tuple[State, str]:
    if root.startswith("/"):
        return _folder(paths_of(settings).here(os.fsencode(root)), root)
    filesystem(place(root).scheme, settings.ingest.load_seconds)
    return "ok", f"{root}: its package is installed"
