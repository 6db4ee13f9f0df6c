"""The storage worker's answers for the upkeep of a collection: pages, facts, counts, removals, a new beginning."""

import logging
import threading
from typing import Any

import numpy as np

from tasks.app import app
from tasks.queues import COUNTS, DELETE, FACET, FACTS, REBUILD, SCROLL
from tasks.rpc import answer
from workers.storage.process import catalog, note_write, point_id

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

    return answer(work)


@app.task(name=FACTS, ignore_result=False, acks_late=False)
def facts(uris: list[str], fields: list[str]) -> dict[str, Any]:
    """Those payload fields of each of these files, None for a file that the collection does not hold."""

    def work() -> list[dict[str, Any] | None]:
        ids = [point_id(uri) for uri in uris]
        found = catalog().known(ids, fields)
        return [found.get(identity) for identity in ids]

    return answer(work)


@app.task(name=FACET, ignore_result=False, acks_late=False)
def facet(field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str, Any]:
    """[value, number of points] of the most frequent values of an indexed field, the most frequent first."""
    return answer(lambda: [[value, count] for value, count in catalog().facet(field, where, limit).items()])


@app.task(name=COUNTS, ignore_result=False, acks_late=False)
def counts(wheres: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The exact number of points that each of these filters lets through; None counts all."""
    return answer(lambda: [catalog().count(where) for where in wheres])


@app.task(name=DELETE, ignore_result=False, acks_late=False)
def delete(uris: list[str]) -> dict[str, Any]:
    """Delete the points of these files durably; how many of them there were."""

    def work() -> int:
        ids = [point_id(uri) for uri in uris]
        there = list(catalog().known(ids, []))
        catalog().delete(there)
        note_write()
        return len(there)

    return answer(work)


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

    return answer(work)


def _chosen(payload: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    return payload if fields is None else {name: payload[name] for name in fields if name in payload}
