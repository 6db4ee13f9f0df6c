"""Finds all pairs of embeddings that are nearly equal, and the groups that these pairs form."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from workers.inference.machine import cores


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
# Both sides of a tile, its product (1 MB) and what is asked of it lie in the cache of a core.
TILE = 512
# So many principal components rule out nearly all pairs that are not near, and cost an eighth of 512.
REDUCED_DIM = 64
# With more candidates in a tile than this, multiplying the whole tile is faster than selecting them.
MANY_CANDIDATES = 1024
SAMPLE_ROWS = 4096
# So many are compared by their full vectors at once.
PAIRS = 2048
# For the rounding of float32 sums: of the reduced vectors, and of the full ones.
REDUCED_TOLERANCE = 1e-4
TOLERANCE = 1e-6


def near_groups(
    vectors: Vectors, threshold: float, progress: Callable[[float], None], stop: Callable[[], bool]
) -> list[list[int]]:
    """Groups of rows that are linked by pairs with a cosine of at least `threshold`, the largest group first.

    `vectors` is float32 (n, dim), each row of length one. Every pair is compared, in tiles, by a thread for each core.
    A projection on the first REDUCED_DIM principal components rules out most pairs: it never increases a distance, so
    it misses none. The other pairs are compared by their full vectors. `progress` gets the share that is done, from 0
    to 1; when `stop` returns True, the groups found so far are returned.
    """
    from threadpoolctl import threadpool_limits

    comparison = _Comparison(vectors, threshold, stop)
    # The threads of BLAS spin while they wait for each other, after every tile: beside a busy process that took ten
    # times the processor time of the products. Threads with a tile each have nothing to wait for.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores()) as pool:
        for done in pool.map(comparison.compare, range(0, len(vectors), TILE)):
            progress(done)
    return comparison.groups.as_lists()


class _Comparison:
    """Compares all rows, a strip of tiles at a time, and links what is near; threads may do so side by side."""

    def __init__(self, vectors: Vectors, threshold: float, stop: Callable[[], bool]) -> None:
        self.groups = Groups(len(vectors))
        self._vectors = vectors
        self._threshold = threshold - TOLERANCE
        self._bound = threshold - 1 - REDUCED_TOLERANCE
        self._reduced = _reduce(vectors)
        self._stop = stop
        self._linking = Lock()

    def compare(self, first_row: int) -> float:
        """Compare TILE rows with themselves and with all that follow; returns the share that is done by then."""
        count = len(self._vectors)
        *axes, half, ones = self._reduced[:, first_row : first_row + TILE]
        rows = np.stack([*axes, ones, half], axis=1)
        product, candidates = np.empty((TILE, TILE), np.float32), np.empty((TILE, TILE), np.bool_)
        for first_column in range(first_row, count, TILE):
            if self._stop():
                break
            columns = self._reduced[:, first_column : first_column + TILE]
            shape = np.s_[: len(rows), : columns.shape[1]]
            np.matmul(rows, columns, out=product[shape])
            np.greater_equal(product[shape], self._bound, out=candidates[shape])
            if first_row == first_column or np.count_nonzero(candidates[shape]):
                self._link(candidates[shape], first_row, first_column)
        # What is left is a triangle of strips.
        return 1 - (max(0, count - first_row - TILE) / count) ** 2

    def _link(self, candidates: NDArray[np.bool_], first_row: int, first_column: int) -> None:
        """Link those candidates of a tile whose full vectors are near."""
        vectors = self._vectors
        if first_row == first_column:
            candidates = np.triu(candidates, 1)
        is_exact = np.count_nonzero(candidates) > MANY_CANDIDATES
        if is_exact:
            cosines = vectors[first_row : first_row + TILE] @ vectors[first_column : first_column + TILE].T
            candidates = candidates & (cosines >= self._threshold)
        rows, columns = np.divmod(np.flatnonzero(candidates), candidates.shape[1])
        rows += first_row
        columns += first_column
        for start in range(0, len(rows), PAIRS):
            ones, others = rows[start : start + PAIRS], columns[start : start + PAIRS]
            # Pairs inside one group need no comparison: a group of a thousand copies is half a million pairs. Another
            # thread may be linking: equal labels never become unequal, so at most a pair is compared for nothing.
            unlinked = self.groups.label[ones] != self.groups.label[others]
            ones, others = ones[unlinked], others[unlinked]
            if not is_exact:
                near = np.einsum("ij,ij->i", vectors[ones], vectors[others]) >= self._threshold
                ones, others = ones[near], others[near]
            with self._linking:
                for one, other in zip(ones.tolist(), others.tolist(), strict=True):
                    self.groups.link(one, other)


def _reduce(vectors: Vectors) -> Vectors:
    """The reduced rows as columns, float32 (axes + 2, n): below the axes minus half their squared length, and one.

    The product of two columns, of one of them with its last two numbers swapped, is minus half the squared distance of
    the reduced rows. For rows of length one, minus half the squared distance is the cosine minus one.
    """
    sample = vectors[:: max(1, len(vectors) // SAMPLE_ROWS)]
    mean = sample.mean(axis=0, dtype=np.float32) if len(sample) else np.zeros(vectors.shape[1], np.float32)
    centred = sample - mean
    # The principal components are orthonormal, so a distance along them never exceeds the full distance.
    _, directions = np.linalg.eigh(centred.T @ centred)
    axes = np.ascontiguousarray(directions[:, ::-1][:, :REDUCED_DIM].T)
    reduced = np.empty((len(axes) + 2, len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), SAMPLE_ROWS):
        reduced[:-2, start : start + SAMPLE_ROWS] = axes @ (vectors[start : start + SAMPLE_ROWS] - mean).T
    reduced[-2] = -0.5 * np.einsum("ij,ij->j", reduced[:-2], reduced[:-2])
    reduced[-1] = 1
    return reduced
