"""Looks points up by their content in the embedded engine."""

import qdrant_edge as edge

from workers.storage.catalog import Point
from workers.storage.embedded.filter import edge_filter
from workers.storage.embedded.records import EMBEDDING, WITHOUT_WORDS, point_of
from workers.storage.where import Condition, In, Is, Where


def points_by_content(shard: edge.EdgeShard, sha256s: list[str], same_model: list[Condition]) -> dict[str, Point]:
    """sha256 -> a point with this content for which these conditions hold, for each that exists."""
    candidates = _known(shard, sha256s, same_model) if sha256s else []
    if not candidates:
        return {}
    # One request for each sha256: a single one for all could return only copies of one picture.
    filters = [edge_filter(Where([Is("sha256", sha256), *same_model], [], [])) for sha256 in candidates]
    requests = [
        edge.QueryRequest(1, filter=filter_, with_payload=WITHOUT_WORDS, with_vector=EMBEDDING) for filter_ in filters
    ]
    answers = shard.query_batch(edge.QueryBatchRequest(requests))
    return {sha256: point_of(points[0]) for sha256, points in zip(candidates, answers) if points}


def _known(shard: edge.EdgeShard, sha256s: list[str], same_model: list[Condition]) -> list[str]:
    """Those of these contents that may be known; usually none are, and then this one request is enough."""
    limit = 2 * len(sha256s)
    request = edge.ScrollRequest(
        None, limit, edge_filter(Where([In("sha256", sha256s), *same_model], [], [])), ["sha256"], False
    )
    records, _ = shard.scroll(request)
    if len(records) == limit:  # there may be more points, with contents that are not among these
        return sha256s
    return list({(record.payload or {})["sha256"] for record in records})
