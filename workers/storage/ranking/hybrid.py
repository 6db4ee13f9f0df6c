"""Ranks points by their embeddings, by their words, or by both, fused by reciprocal ranks (RRF).

Cormack, Clarke and Buettcher, Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods, 2009:
a point's part of each ranking is 1 / (60 + its rank). The engines have it as well, but only with ranks of their own for
points that are equal, and without the similarities, which people see and cut by.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.storage.catalog import Catalog, Hit
from workers.storage.ranking.bm25 import asked_terms

RANK_CONSTANT = 60
# Where the rankings mirror each other the words decide: they tell what stands in a caption, not what it resembles.
WORDS_WEIGHT = 1.02
# So many points of each ranking are looked at; those behind them could add less than the rounding of a rank.
DEPTH = 200
# Scores that differ by less are equal: sums of float32 in another order.
EQUAL = 1e-5


def ranked(
    store: Catalog,
    vector: NDArray[np.float32] | None,
    words: Sequence[tuple[str, float]],
    limit: int,
    where: dict[str, Any] | None = None,
    offset: int = 0,
    least: float | None = None,
    fields: Sequence[str] | None = None,
) -> list[Hit]:
    """The best points by a vector, float32 (dim,), by words with their weights, or by both; the first ones left out.

    The score of each is its cosine similarity to `vector`, and `least` is the lowest that is let through; without a
    vector it is that of BM25. `fields` names the payload fields that are wanted, None for all.
    """
    most = offset + limit
    if vector is None:
        hits = _with_payloads(store, store.search_words(asked_terms(words), most, where)[offset:], fields)
    elif not words:
        hits = store.search(vector, limit, where, offset, fields)
    else:
        return _with_payloads(store, _both(store, vector, words, most, where, offset, least), fields)
    return [hit for hit in hits if least is None or hit.score >= least]


def _both(
    store: Catalog,
    vector: NDArray[np.float32],
    words: Sequence[tuple[str, float]],
    most: int,
    where: dict[str, Any] | None,
    offset: int,
    least: float | None,
) -> list[Hit]:
    """The points of both rankings from `offset` to `most`, without their payloads; those below `least` are left out."""
    depth = max(DEPTH, most)
    nearest = store.search(vector, depth, where, fields=[])
    worded = _whole_ranks([hit for hit in store.search_words(asked_terms(words), depth, where) if hit.score > 0], depth)
    cosines = {hit.id: hit.score for hit in nearest}
    fused: dict[str, float] = {}
    for ranking, weight in ((nearest, 1.0), (worded, WORDS_WEIGHT)):
        for id_, rank in _ranks(ranking):
            fused[id_] = fused.get(id_, 0.0) + weight / (RANK_CONSTANT + rank)
    order = sorted(fused, key=lambda id_: (-fused[id_], -cosines.get(id_, -1.0), id_))
    # What is found by its words alone is less alike than the last of the nearest, where there are more than these.
    if least is not None and len(nearest) == depth and nearest[-1].score < least:
        order = [id_ for id_ in order if id_ in cosines]
    elif least is not None:
        cosines |= _cosines(store, [id_ for id_ in order if id_ not in cosines], vector)
    if least is not None:
        order = [id_ for id_ in order if cosines.get(id_, -1.0) >= least]
    page = order[offset:most]
    cosines |= _cosines(store, [id_ for id_ in page if id_ not in cosines], vector)
    return [Hit(id_, cosines[id_], {}) for id_ in page if id_ in cosines]


def _cosines(store: Catalog, ids: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float]:
    points = store.points(ids, [], with_vectors=True) if ids else {}
    return {id_: float(point.vector @ vector) for id_, point in points.items()}


def _whole_ranks(hits: list[Hit], depth: int) -> list[Hit]:
    """The hits without those that are equal to the last one, where there are more such behind it: none is chosen."""
    if len(hits) < depth:
        return hits
    return [hit for hit in hits if hit.score > hits[-1].score + EQUAL]


def _ranks(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    """The rank of each hit from 1 on; hits that are equal have the same."""
    ranks: list[tuple[str, int]] = []
    rank, score = 1, None
    for place, hit in enumerate(hits, 1):
        if score is None or hit.score < score - EQUAL:
            rank, score = place, hit.score
        ranks.append((hit.id, rank))
    return ranks


def _with_payloads(store: Catalog, hits: list[Hit], fields: Sequence[str] | None) -> list[Hit]:
    payloads = store.payloads([hit.id for hit in hits], fields) if hits else {}
    return [Hit(hit.id, hit.score, payloads[hit.id]) for hit in hits if hit.id in payloads]
