"""Moves the embedded collection to a server, page by page; each page is read back from the server."""

import threading
from typing import Any

from settings import load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.queues import MOVE_PAGE, MOVE_START
from tasks.rpc.answers import answers
from workers.storage.catalog import Catalog
from workers.storage.state import catalog, open_catalog

_lock = threading.Lock()
_targets: dict[str, Catalog] = {}


@answers(MOVE_START, once=True)
def start(url: str) -> dict[str, Any]:
    """Create the collection on the server at `url` unless it exists; {"collection", "points", "there"}.

    `points` is the number of points in the embedded collection, `there` the number on the server.
    """
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


@answers(MOVE_PAGE, once=True)
def page(url: str, limit: int, after: str | None = None) -> dict[str, Any]:
    """Copy the points behind `after`, at most `limit`; {"points", "copied", "there", "next"}.

    Points that the server has already in the same version are not written again, so an interrupted move continues where
    it stopped. `there` is the number of points on the server after the last page; `next` is None at the end.
    """
    points, next_id = catalog().scroll(None, limit, after, with_vectors=True)
    target = _target(url)
    ids = [point.id for point in points]
    existing = target.payloads(ids, ["sha256", "indexed_at"])
    missing = [point for point in points if _version(existing.get(point.id)) != _version(point.payload)]
    if missing:
        target.upsert(missing)
        lost = {point.id for point in missing} - target.payloads([point.id for point in missing], []).keys()
        if lost:
            raise DarkroomError(f"The server has confirmed {len(lost)} points that it does not hold: move again.")
    total = target.count() if next_id is None else 0
    return {"points": len(points), "copied": len(missing), "there": total, "next": next_id}


def _version(payload: dict[str, Any] | None) -> tuple[Any, Any]:
    return (payload.get("sha256"), payload.get("indexed_at")) if payload else (None, None)


def _target(url: str) -> Catalog:
    """The collection on the server, with the name, key and layout of the settings.

    Raises WrongUse for any other server than that of the settings: it gets the key, and whoever can write to Redis can
    send such a message.
    """
    settings = load_settings()
    if url != settings.qdrant.move_to:
        raise WrongUse(
            f"This storage worker may not move its collection to {url}: set qdrant.move_to to that address where the "
            "worker runs, and start it anew."
        )
    with _lock:
        if url not in _targets:
            qdrant = settings.qdrant.model_copy(update={"url": url})
            _targets[url] = open_catalog(settings.model_copy(update={"qdrant": qdrant}))
        return _targets[url]
