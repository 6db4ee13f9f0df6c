"""Points as the embedded engine takes and gives them."""

import numpy as np
import qdrant_edge as edge

from workers.storage.catalog import WORDS, Point
from workers.storage.ranking.bm25 import SPARSE, terms_of_payload

# The embedding has no name.
EMBEDDING = [""]
WITHOUT_WORDS = edge.PayloadSelector.Exclude([WORDS])


def edge_vectors(point: Point) -> dict[str, list[float] | edge.SparseVector | list[list[float]]]:
    """The vectors of a point: its embedding, and its words where it has any."""
    vectors: dict[str, list[float] | edge.SparseVector | list[list[float]]] = {"": point.vector.tolist()}
    terms = terms_of_payload(point.payload)
    if terms.indices:
        vectors[SPARSE] = edge.SparseVector(terms.indices, terms.values)
    return vectors


def point_of(record: edge.Record | edge.ScoredPoint) -> Point:
    """A point as the catalog gives it; its vector is empty, shape (0,), where none was asked for."""
    return Point(str(record.id), np.asarray(record.vector or (), dtype=np.float32), record.payload or {})
