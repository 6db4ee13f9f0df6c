"""Answers questions about the collection, and changes it as a whole; each answer is the result of a Celery task."""

import logging
import threading
from typing import Any

import numpy as np

from pictures.uris import point_id
from settings import load_settings
from tasks.checkpoint import IN_INT8, PAYLOAD_SCHEMA, PREPROCESSING
from tasks.queues import BY_CONTENT, COLLECTION, COUNTS, DELETE, FACET, FACTS, PLAN, REBUILD, SCROLL, SEARCH
from tasks.rpc.answers import answers, first_found
from workers.storage.ranking.hybrid import ranked
from workers.storage.state import catalog, record_write

log = logging.getLogger("darkroom.storage")
_rebuild_lock = threading.Lock()


@answers(PLAN, once=True)
def plan(
    clip_model: str,
    blip_model: str | None,
    uris: list[str],
    sizes: list[int],
    mtimes: list[int],
    sidecars: list[list[int] | None] | None = None,
    ocr_model: str | None = None,
) -> bytes:
    """Which of these files the collection holds unchanged: a byte a file, 1 for unchanged.

    Unchanged means the same size and modification time, of the file and of its sidecar, embedded by the same model with
    the same preprocessing in whichever precision, captioned by `blip_model` and its text read by `ocr_model` unless
    these are None, and with facts as this release reads them.
    """
    if catalog().clip_model() is None:
        return bytes(len(uris))
    catalog().check_model(clip_model)
    expected: dict[str, Any] = {
        "clip_model": clip_model,
        "preprocessing": PREPROCESSING,
        "schema": PAYLOAD_SCHEMA,
    }
    if blip_model is not None:
        expected["blip_model"] = blip_model
    if ocr_model is not None:
        expected["ocr_model"] = ocr_model
    ids = [point_id(uri) for uri in uris]
    payloads = catalog().payloads(ids, ("bytes", "mtime", "sidecar", *expected))
    for payload in payloads.values():
        # Embedded near enough, on a machine that is fast at it: no reason to do it again on another one.
        if payload.get("preprocessing") == IN_INT8:
            payload["preprocessing"] = PREPROCESSING
    return bytes(
        payloads.get(id_) == {**expected, "bytes": size, "mtime": mtime, **({"sidecar": sidecar} if sidecar else {})}
        for id_, size, mtime, sidecar in zip(ids, sizes, mtimes, sidecars or [None] * len(ids), strict=True)
    )


@answers(BY_CONTENT)
def by_content(sha256s: list[str], clip_model: str, preprocessing: str) -> dict[str, Any]:
    """What is known for some contents: sha256 to [embedding as float32 bytes, payload]."""
    points = catalog().by_content(sha256s, clip_model, preprocessing)
    return {sha: [np.asarray(point.vector, dtype="<f4").tobytes(), point.payload] for sha, point in points.items()}


@answers(SEARCH)
def search(
    vector: bytes | None,
    clip_model: str,
    limit: int,
    where: dict[str, Any] | None = None,
    offset: int = 0,
    words: list[tuple[str, float]] | None = None,
    least: float | None = None,
    fields: list[str] | None = None,
) -> list[dict[str, Any]]:
    """The best points by an embedding (float32 bytes), by words with their weights, or by both; see hybrid.py.

    The first `offset` ones are left out, and those less alike than `least`. A list of {"uri", "score", ...payload},
    best first; `fields` names the fields of the payload that are wanted, None for all.
    """
    if catalog().clip_model() is None:
        return []
    catalog().check_model(clip_model)
    wanted = None if vector is None else np.frombuffer(vector, dtype="<f4")
    hits = ranked(catalog(), wanted, words or (), limit, where, offset, least, fields)
    return [{"uri": hit.payload.get("uri"), "score": hit.score, **hit.payload} for hit in hits]


@answers(COLLECTION)
def collection() -> dict[str, Any]:
    """What the collection is: its name, its model, how many points it holds."""
    return collection_facts()


def collection_facts() -> dict[str, Any]:
    """The same for this process."""
    model = catalog().clip_model()
    return {
        "name": load_settings().qdrant.collection,
        "clip_model": model,
        "points": catalog().count() if model is not None else 0,
    }


@answers(SCROLL, once=True)
def scroll(
    where: dict[str, Any] | None,
    limit: int,
    after: str | None = None,
    fields: list[str] | None = None,
    with_vectors: bool = False,
) -> dict[str, Any]:
    """A page of points in the order of their ids.

    {"ids": [...], "payloads": [...], "vectors": float32 bytes, row after row, "dim": numbers a row, "next": the `after`
    of the next page, None at the end}. `fields` names the payload fields to return, None for all.
    """
    points, next_id = catalog().scroll(where, limit, after, with_vectors, fields)
    vectors = np.stack([point.vector for point in points]) if with_vectors and points else np.empty((0, 0))
    return {
        "ids": [point.id for point in points],
        "payloads": [point.payload for point in points],
        "vectors": vectors.astype("<f4").tobytes(),
        "dim": int(vectors.shape[1]),
        "next": next_id,
    }


@answers(FACTS)
def facts(uris: list[str], fields: list[str]) -> list[dict[str, Any] | None]:
    """These payload fields of each of these files, None for a file that the collection does not hold."""
    ids = [point_id(uri) for uri in uris]
    payloads = catalog().payloads(ids, fields)
    return [payloads.get(id_) for id_ in ids]


@answers(FACET, once=True)
def facet(field: str, where: dict[str, Any] | None = None, limit: int = 10) -> list[list[Any]]:
    """[value, number of points] of the most frequent values of an indexed field, the most frequent first."""
    return [[value, count] for value, count in catalog().facet(field, where, limit).items()]


@answers(COUNTS, once=True)
def counts(wheres: list[dict[str, Any] | None]) -> list[int]:
    """The exact number of points that match each of these filters; None counts all."""
    return [catalog().count(where) for where in wheres]


@answers(DELETE, once=True)
def delete(uris: list[str]) -> int:
    """Delete the points of these files durably; returns how many of them existed."""
    existing = list(catalog().payloads([point_id(uri) for uri in uris], []))
    existed = first_found(len(existing))
    catalog().delete(existing)
    record_write()
    return existed


@answers(REBUILD, once=True)
def rebuild(dim: int, clip_model: str) -> int:
    """Replace a collection that holds vectors of another model by an empty one for this model.

    Returns how many points were removed; 0 if the collection is for this model already, so that a second question does
    no harm. The new collection exists before this returns: late writes of the old model are then refused.
    """
    with _rebuild_lock:
        held = catalog().clip_model()
        points = first_found(0 if held in (None, clip_model) else catalog().count())
        if held not in (None, clip_model):
            log.warning("the collection of %s with %d points is made anew for %s", held, points, clip_model)
            catalog().drop()
        catalog().ensure(dim, clip_model)
        record_write()
        return points
