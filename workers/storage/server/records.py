"""Points as the client of a server gives them, and how they are asked for by content."""

from collections.abc import Sequence

import numpy as np
from qdrant_client import QdrantClient, models

from workers.storage.catalog import WORDS, Point
from workers.storage.server.filter import server_filter
from workers.storage.where import Is, Where, reusable_with

# The embedding has no name.
EMBEDDING = [""]
WITHOUT_WORDS = models.PayloadSelectorExclude(exclude=[WORDS])


def point_of(record: models.Record | models.ScoredPoint) -> Point:
    """A point as the catalog gives it; its vector is empty, shape (0,), where none was asked for."""
    vector = record.vector.get("", ()) if isinstance(record.vector, dict) else record.vector
    return Point(str(record.id), np.asarray(vector or (), dtype=np.float32), record.payload or {})


def content_requests(sha256s: Sequence[str], clip_model: str, preprocessing: str) -> list[models.QueryRequest]:
    """A request for each content: a single one for all could return only copies of one picture."""
    same_model = reusable_with(clip_model, preprocessing)
    return [
        models.QueryRequest(
            filter=server_filter(Where([Is("sha256", sha256), *same_model], [], [])),
            limit=1,
            with_payload=WITHOUT_WORDS,
            with_vector=EMBEDDING,
        )
        for sha256 in sha256s
    ]


def model_of_a_point(client: QdrantClient, collection: str) -> str | None:
    """The model that a point names: a collection that was made on a server before 1.16 has no metadata."""
    records, _ = client.scroll(collection, limit=1, with_payload=["clip_model"])
    model = (records[0].payload or {}).get("clip_model") if records else None
    return None if model is None else str(model)
