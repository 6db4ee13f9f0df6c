"""Words for points that an earlier release has stored in the embedded engine without them."""

import qdrant_edge as edge

from workers.storage.ranking.bm25 import SPARSE, TEXT_FIELDS, terms_of_payload

# The engine holds the lock, and the GIL, for some tens of milliseconds meanwhile.
WORDS_A_STEP = 512


class LateWords:
    """Adds the words to points that were stored without them, step by step; `is_done` once all have been looked at."""

    def __init__(self) -> None:
        self.is_done = False
        self._after: str | None = None

    def step(self, shard: edge.EdgeShard) -> edge.UpdateOperation | None:
        """What is to be written for the next points; None where they need nothing."""
        missing = edge.Filter(must_not=[edge.HasVectorCondition(SPARSE)])
        request = edge.ScrollRequest(self._after, WORDS_A_STEP, missing, list(TEXT_FIELDS), False)
        records, after = shard.scroll(request)
        self.is_done, self._after = after is None, None if after is None else str(after)
        found = [(record.id, terms_of_payload(record.payload or {})) for record in records]
        vectors = [
            edge.PointVectors(id_, {SPARSE: edge.SparseVector(terms.indices, terms.values)})
            for id_, terms in found
            if terms.indices
        ]
        return edge.UpdateOperation.update_vectors(vectors) if vectors else None
