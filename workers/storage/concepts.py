"""What pictures show, of a list of names: vectors of texts against the stored vectors, without a model for pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.queues import CONCEPTS
from tasks.rpc.answers import answers
from workers.storage.catalog import Catalog
from workers.storage.rewrite import rewrite
from workers.storage.state import catalog, record_write


@answers(CONCEPTS, once=True)
def concepts(
    names: list[str],
    vectors: bytes,
    least: float,
    most: int,
    where: dict[str, Any] | None,
    limit: int,
    after: str | None = None,
    write: bool = True,
) -> dict[str, Any]:
    """Compare the points behind `after`, at most `limit`, with names; {"points", "labelled", "counts", "next"}.

    `vectors` has one for each name (float32 bytes). A picture shows those with a cosine of at least `least`, the best
    `most` of them. They are noted in `concepts`, their cosines in `concept_scores`; what a picture has of these names
    by an earlier call goes, other names stay. `next` is None at the end.
    """
    rows = np.frombuffer(vectors, dtype="<f4").reshape(len(names), -1)
    answer = label(catalog(), names, rows, least, most, where, limit, after, write)
    record_write()
    return answer


def label(
    store: Catalog,
    names: Sequence[str],
    rows: NDArray[np.float32],
    least: float,
    most: int,
    where: dict[str, Any] | None,
    limit: int,
    after: str | None,
    write: bool,
) -> dict[str, Any]:
    """What `concepts` answers, of a catalog."""
    points, after = store.scroll(where, limit, after, with_vectors=True)
    counts = dict.fromkeys(names, 0)
    changed = []
    cosines = np.stack([point.vector for point in points]) @ rows.T if points else np.empty((0, len(names)))
    labelled = 0
    for point, own in zip(points, cosines, strict=True):
        best = [int(place) for place in np.argsort(-own)[:most] if own[place] >= least]
        labelled += bool(best)
        scores = {names[place]: round(float(own[place]), 4) for place in best}
        for name in scores:
            counts[name] += 1
        before = point.payload.get("concept_scores") or {}
        # Best first, whichever call has found them.
        after_all = {name: score for name, score in before.items() if name not in counts} | scores
        ordered = dict(sorted(after_all.items(), key=lambda item: -item[1]))
        if ordered != before:
            changed.append((point, {**point.payload, "concepts": list(ordered), "concept_scores": ordered}))
    if write:
        rewrite(store, changed)
    return {"points": len(points), "labelled": labelled, "counts": counts, "next": after}
