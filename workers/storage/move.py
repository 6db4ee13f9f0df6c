"""The storage worker's part of a move: pages of the embedded collection, written to a server and looked for there."""

import threading
from typing import Any

from settings import load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.app import app
from tasks.queues import MOVE_PAGE, MOVE_START
from tasks.rpc import reply
from workers.storage.catalog import Catalog
from workers.storage.state import catalog, open_catalog

_lock = threading.Lock()
_targets: dict[str, Catalog] = {}


@app.task(name=MOVE_START, ignore_result=False, acks_late=False)
def start(url: str) -> dict[str, Any]:
    """Make the collection on the server at `url` unless it is there; {"collection", "points", "there"}.

    `points` is how many the collection here holds, `there` how many the one on the server does.
    """

    def work() -> dict[str, Any]:
        model = catalog().clip_model()
        points, _ = catalog().scroll(None, 1, with_vectors=True)
        if model is None or not points:
            raise WrongUse("The collection is empty: there is nothing to move.")
        target = _target(url)
        target.ensure(len(points[0].vector), model)
        return {
            "collection": load_settings().qdrant.collection,
            "points": catalog().count(),
            "there": target.count(),
        }

    return reply(work)


@app.task(name=MOVE_PAGE, ignore_result=False, acks_late=False)
def page(url: str, limit: int, after: str | None = None) -> dict[str, Any]:
    """Copy the points behind `after`, at most `limit`; {"points", "copied", "there", "next"}.

    Points that the server holds already as they are here are not written again, so a move that was interrupted goes on
    where it was. `there` is what the server counts when the page is written; `next` is None at the end.
    """

    def work() -> dict[str, Any]:
        points, following = catalog().scroll(None, limit, after, with_vectors=True)
        target = _target(url)
        ids = [point.id for point in points]
        held = target.payloads(ids, ["sha256", "indexed_at"])
        missing = [point for point in points if _version(held.get(point.id)) != _version(point.payload)]
        if missing:
            target.upsert(missing)
            lost = {point.id for point in missing} - target.payloads([point.id for point in missing], []).keys()
            if lost:
                raise DarkroomError(f"The server has confirmed {len(lost)} points that it does not hold: move again.")
        there = target.count() if following is None else 0
        return {"points": len(points), "copied": len(missing), "there": there, "next": following}

    return reply(work)


def _version(payload: dict[str, Any] | None) -> tuple[Any, Any]:
    return (payload.get("sha256"), payload.get("indexed_at")) if payload else (None, None)


def _target(url: str) -> Catalog:
    """The collection of this name on the server, by the key and the layout of the settings."""
    with _lock:
        if url not in _targets:
            own = load_settings()
            server = own.qdrant.model_copy(update={"url": url})
            _targets[url] = open_catalog(own.model_copy(update={"qdrant": server}))
        return _targets[url]
