"""The reading side of the storage worker, and the upkeep of a collection: each question is one Celery result."""

import logging
import threading
from typing import Any

import numpy as np

from settings import load_settings
from tasks.app import app
from tasks.checkpoint import PREPROCESSING
from tasks.queues import BY_CONTENT, COLLECTION, COUNTS, DELETE, FACET, FACTS, PLAN, REBUILD, SCROLL, SEARCH
from tasks.rpc import reply
from workers.storage.state import catalog, note_write, point_id


@app.task(name=PLAN, ignore_result=False, acks_late=False)
def plan(
    clip_model: str, blip_model: str | None, uris: list[str], sizes: list[int], mtimes: list[int]
) -> dict[str, Any]:
    """Which of these files the collection holds unchanged: a byte a file, 1 for unchanged.

    Unchanged means the same size and modification time, embedded by the same model with the same preprocessing, and
    captioned by `blip_model` where that is asked for.
    """

    def work() -> bytes:
        own = catalog()
        kept = own.clip_model()
        if kept is None:
            return bytes(len(uris))
        own.check_model(clip_model)
        fields = ("bytes", "mtime", "clip_model", "preprocessing", "blip_model")
        ids = [point_id(uri) for uri in uris]
        found = own.payloads(ids, fields)
        wanted = {"clip_model": clip_model, "preprocessing": PREPROCESSING}
        if blip_model is not None:
            wanted["blip_model"] = blip_model
        unchanged = bytearray(len(uris))
        for place, (identity, size, mtime) in enumerate(zip(ids, sizes, mtimes, strict=True)):
            facts = found.get(identity)
            unchanged[place] = (
                facts is not None
                and facts.get("bytes") == size
                and facts.get("mtime") == mtime
                and all(facts.get(name) == value for name, value in wanted.items())
            )
        return bytes(unchanged)

    return reply(work)


@app.task(name=BY_CONTENT, ignore_result=False, acks_late=False)
def by_content(sha256s: list[str], clip_model: str, preprocessing: str) -> dict[str, Any]:
    """What is known for some contents: sha256 to [embedding as float32 bytes, payload]."""

    def work() -> dict[str, Any]:
        found = catalog().by_content(sha256s, clip_model, preprocessing)
        return {sha: [np.asarray(point.vector, dtype="<f4").tobytes(), point.payload] for sha, point in found.items()}

    return reply(work)


@app.task(name=SEARCH, ignore_result=False, acks_late=False)
def search(vector: bytes, clip_model: str, limit: int, where: dict[str, Any] | None = None) -> dict[str, Any]:
    """The nearest points to an embedding (float32 bytes): a list of {"uri", "score", ...payload}, best first."""

    def work() -> list[dict[str, Any]]:
        own = catalog()
        if own.clip_model() is None:
            return []
        own.check_model(clip_model)
        hits = own.search(np.frombuffer(vector, dtype="<f4"), limit, where)
        return [{"uri": hit.payload.get("uri"), "score": hit.score, **hit.payload} for hit in hits]

    return reply(work)


@app.task(name=COLLECTION, ignore_result=False, acks_late=False)
def collection() -> dict[str, Any]:
    """What the collection is: its name, its model, how many points it holds."""

    def work() -> dict[str, Any]:
        own = catalog()
        model = own.clip_model()
        return {
            "name": load_settings().qdrant.collection,
            "clip_model": model,
            "points": own.count() if model is not None else 0,
        }

    return reply(work)


log = logging.getLogger("darkroom.storage")
_rebuilding = threading.Lock()


@app.task(name=SCROLL, ignore_result=False, acks_late=False)
def scroll(
    where: dict[str, Any] | None,
    limit: int,
    after: str | None = None,
    fields: list[str] | None = None,
    with_vectors: bool = False,
) -> dict[str, Any]:
    """A page of points in the order of their ids.

    {"ids": [...], "payloads": [...], "vectors": float32 bytes, row after row, "dim": numbers a row, "next": what to
    pass as `after` for the next page, None at the end}. `fields` names the wanted payload fields, None for all.
    """

    def work() -> dict[str, Any]:
        points, following = catalog().scroll(where, limit, after, with_vectors)
        vectors = np.stack([point.vector for point in points]) if with_vectors and points else np.empty((0, 0))
        return {
            "ids": [point.id for point in points],
            "payloads": [_chosen(point.payload, fields) for point in points],
            "vectors": vectors.astype("<f4").tobytes(),
            "dim": int(vectors.shape[1]),
            "next": following,
        }

    return reply(work)


@app.task(name=FACTS, ignore_result=False, acks_late=False)
def facts(uris: list[str], fields: list[str]) -> dict[str, Any]:
    """Those payload fields of each of these files, None for a file that the collection does not hold."""

    def work() -> list[dict[str, Any] | None]:
        ids = [point_id(uri) for uri in uris]
        found = catalog().payloads(ids, fields)
        return [found.get(identity) for identity in ids]

    return reply(work)


@app.task(name=FACET, ignore_result=False, acks_late=False)
def facet(field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str, Any]:
    """[value, number of points] of the most frequent values of an indexed field, the most frequent first."""
    return reply(lambda: [[value, count] for value, count in catalog().facet(field, where, limit).items()])


@app.task(name=COUNTS, ignore_result=False, acks_late=False)
def counts(wheres: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The exact number of points that each of these filters lets through; None counts all."""
    return reply(lambda: [catalog().count(where) for where in wheres])


@app.task(name=DELETE, ignore_result=False, acks_late=False)
def delete(uris: list[str]) -> dict[str, Any]:
    """Delete the points of these files durably; how many of them there were."""

    def work() -> int:
        ids = [point_id(uri) for uri in uris]
        there = list(catalog().payloads(ids, []))
        catalog().delete(there)
        note_write()
        return len(there)

    return reply(work)


@app.task(name=REBUILD, ignore_result=False, acks_late=False)
def rebuild(dim: int, clip_model: str) -> dict[str, Any]:
    """Remove a collection that holds another model's vectors and make it anew, empty, for this model.

    Returns how many points were removed; 0 where the collection is this model's already, so that asking twice does no
    harm. The new collection is there before this answers: late writes of the old model are then refused by name.
    """

    def work() -> int:
        with _rebuilding:
            own = catalog()
            held = own.clip_model()
            if held in (None, clip_model):
                return 0
            points = own.count()
            log.warning("the collection of %s with %d points is made anew for %s", held, points, clip_model)
            own.drop()
            own.ensure(dim, clip_model)
            note_write()
            return points

    return reply(work)


def _chosen(payload: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    return payload if fields is None else {name: payload[name] for name in fields if name in payload}
