"""The reading side of the storage worker: small questions about the collection, each answered by a Celery result."""

from typing import Any

import numpy as np

from settings import load_settings
from tasks.app import app
from tasks.checkpoint import PREPROCESSING
from tasks.queues import BY_CONTENT, COLLECTION, PLAN, SEARCH
from tasks.rpc import answer
from workers.storage.process import catalog, point_id


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
        found = own.known(ids, fields)
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

    return answer(work)


@app.task(name=BY_CONTENT, ignore_result=False, acks_late=False)
def by_content(sha256s: list[str], clip_model: str, preprocessing: str) -> dict[str, Any]:
    """What is known for some contents: sha256 to [embedding as float32 bytes, payload]."""

    def work() -> dict[str, Any]:
        found = catalog().by_content(sha256s, clip_model, preprocessing)
        return {sha: [np.asarray(point.vector, dtype="<f4").tobytes(), point.payload] for sha, point in found.items()}

    return answer(work)


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

    return answer(work)


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

    return answer(work)
