"""Finds all pairs of embeddings that are nearly equal, and the groups that these pairs form."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Groups:
    """A union-find of n items, each its own group until `link` joins two; `label` is int64 (n,), equal in a group."""

    def __init__(self, count: int) -> None:
        self.label: NDArray[np.int64] = np.arange(count, dtype=np.int64)
        self._members: dict[int, list[int]] = {}

    def link(self, one: int, other: int) -> None:
        """Join the groups of two items."""
        label, other_label = int(self.label[one]), int(self.label[other])
        if label == other_label:
            return
        larger, smaller = self._members.pop(label, [label]), self._members.pop(other_label, [other_label])
        if len(larger) < len(smaller):
            # The smaller group is relabelled, so no item is relabelled more than log2(n) times.
            label, larger, smaller = other_label, smaller, larger
        self.label[smaller] = label
        larger += smaller
        self._members[label] = larger

    def as_lists(self) -> list[list[int]]:
        """The groups of two or more, the largest first, each in rising order."""
        groups = [sorted(members) for members in self._members.values()]
        return sorted(groups, key=lambda members: (-len(members), members[0]))


Vectors = NDArray[np.float32]
# A tile of 2048 x 2048 float32 is 16 MiB: small beside the vectors, large enough for matrix multiplication to be fast.
TILE = 2048
# So many principal components rule out nearly all pairs that are not near, and cost an eighth of 512.
REDUCED_DIM = 64
# With more candidates in a tile than this, multiplying the whole tile is faster than selecting them.
MANY_CANDIDATES = 16_384
SAMPLE_ROWS = 4096
# For the rounding of float32 sums: of the reduced vectors, and of the full ones.
REDUCED_TOLERANCE = 1e-4
TOLERANCE = 1e-6


def near_groups(
    vectors: Vectors, threshold: float, progress: Callable[[float], None], stop: Callable[[], bool]
) -> list[list[int]]:
    """Groups of rows that are linked by pairs with a cosine of at least `threshold`, the largest group first.

    `vectors` is float32 (n, dim), each row of length one. Every pair is compared, in tiles. A projection on the first
    REDUCED_DIM principal components rules out most pairs: it never increases a distance, so it misses none. The other
    pairs are compared by their full vectors. `progress` gets the share that is done, from 0 to 1; when `stop` returns
    True, the groups found so far are returned.
    """
    groups = Groups(len(vectors))
    left, right = _reduce(vectors)
    bound = threshold - 1 - REDUCED_TOLERANCE
    starts = range(0, len(vectors), TILE)
    tiles, done = len(starts) * (len(starts) + 1) // 2, 0
    for first_row in starts:
        for first_column in starts:
            if first_column < first_row:
                continue
            if stop():
                return groups.as_lists()
            candidates = left[first_row : first_row + TILE] @ right[first_column : first_column + TILE].T >= bound
            _link(groups, vectors, candidates, first_row, first_column, threshold)
            done += 1
            progress(done / tiles)
    return groups.as_lists()


def _link(
    groups: Groups,
    vectors: Vectors,
    candidates: NDArray[np.bool_],
    first_row: int,
    first_column: int,
    threshold: float,
) -> None:
    """Link those candidates of a tile whose full vectors are near."""
    if first_row == first_column:
        candidates = np.triu(candidates, 1)
    is_exact = np.count_nonzero(candidates) > MANY_CANDIDATES
    if is_exact:
        cosines = vectors[first_row : first_row + TILE] @ vectors[first_column : first_column + TILE].T
        candidates &= cosines >= threshold - TOLERANCE
    rows, columns = np.divmod(np.flatnonzero(candidates), candidates.shape[1])
    rows += first_row
    columns += first_column
    for start in range(0, len(rows), TILE):
        ones, others = rows[start : start + TILE], columns[start : start + TILE]
        # Pairs inside one group need no comparison: a group of a thousand copies is half a million pairs.
        unlinked = groups.label[ones] != groups.label[others]
        ones, others = ones[unlinked], others[unlinked]
        if not is_exact:
            near = np.einsum("ij,ij->i", vectors[ones], vectors[others]) >= threshold - TOLERANCE
            ones, others = ones[near], others[near]
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            groups.link(one, other)


def _reduce(vectors: Vectors) -> tuple[Vectors, Vectors]:
    """Two matrices whose product holds, for each pair, minus half the squared distance of their reduced rows.

    For rows of length one, minus half the squared distance is the cosine minus one.
    """
    sample = vectors[:: max(1, len(vectors) // SAMPLE_ROWS)]
    mean = sample.mean(axis=0, dtype=np.float32) if len(sample) else np.zeros(vectors.shape[1], np.float32)
    centred = sample - mean
    # The principal components are orthonormal, so a distance along them never exceeds the full distance.
    _, directions = np.linalg.eigh(centred.T @ centred)
    axes = np.ascontiguousarray(directions[:, ::-1][:, :REDUCED_DIM])
    reduced = np.empty((len(vectors), axes.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), TILE):
        reduced[start : start + TILE] = (vectors[start : start + TILE] - mean) @ axes
    half = 0.5 * np.einsum("ij,ij->i", reduced, reduced)[:, None]
    ones = np.ones_like(half)
    return np.hstack([reduced, -half, ones]), np.hstack([reduced, ones, -half])
