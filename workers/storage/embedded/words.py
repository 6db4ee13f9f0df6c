"""Words for points that an earlier release has stored in the embedded engine without them."""

import qdrant_edge as edge

from workers.storage.embedded.records import EMBEDDING, edge_vectors, point_of
from workers.storage.ranking.bm25 import SPARSE

# The engine holds the lock, and the GIL, for some tens of milliseconds meanwhile.
WORDS_A_STEP = 512


class LateWords:
    """Adds the words to points that were stored without them, step by step; `is_done` once all have been looked at."""

    def __init__(self) -> None:
        self.is_done = False
        self._after: str | None = None

    def step(self, shard: edge.EdgeShard) -> edge.UpdateOperation | None:
        """What is to be written for the next points, which are written whole; None where they need nothing."""
        missing = edge.Filter(must_not=[edge.HasVectorCondition(SPARSE)])
        records, after = shard.scroll(edge.ScrollRequest(self._after, WORDS_A_STEP, missing, True, EMBEDDING))
        self.is_done, self._after = after is None, None if after is None else str(after)
        points = [point_of(record) for record in records]
        changed = [
            edge.Point(point.id, vectors, point.payload)
            for point in points
            if SPARSE in (vectors := edge_vectors(point))
        ]
        return edge.UpdateOperation.upsert_points(changed) if changed else None
