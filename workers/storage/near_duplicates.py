"""Finds all pairs of embeddings that are nearly the same, and the groups that they make."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Groups:
    """n things, each a group of its own until `link` joins two; `label` is int64 (n,), the same number in a group."""

    def __init__(self, count: int) -> None:
        self.label: NDArray[np.int64] = np.arange(count, dtype=np.int64)
        self._members: dict[int, list[int]] = {}

    def link(self, one: int, other: int) -> None:
        """Join the groups of two things."""
        keep, gone = int(self.label[one]), int(self.label[other])
        if keep == gone:
            return
        stays, moves = self._members.pop(keep, [keep]), self._members.pop(gone, [gone])
        if len(stays) < len(moves):
            # The smaller group gets the new label, so that no thing is relabelled more than log2(n) times.
            keep, stays, moves = gone, moves, stays
        self.label[moves] = keep
        stays += moves
        self._members[keep] = stays

    def found(self) -> list[list[int]]:
        """The groups of two or more, the largest first, each in rising order."""
        groups = [sorted(members) for members in self._members.values()]
        return sorted(groups, key=lambda members: (-len(members), members[0]))


Vectors = NDArray[np.float32]
# A tile of 2048 x 2048 float32 is 16 MiB: small beside the vectors, large enough for matrix multiplication to be fast.
TILE = 2048
# So many numbers keep nearly all pairs that are not alike out, and cost an eighth of 512.
SHORT = 64
# From so many candidates in a tile on, multiplying the whole tile is faster than picking them out.
MANY = 16_384
SAMPLE = 4096
# Rounding of float32 sums; a pair that is only this much too far away is looked at with all its numbers.
SLACK = 1e-4
EQUAL = 1e-6


def near_groups(
    vectors: Vectors, threshold: float, progress: Callable[[float], None], stop: Callable[[], bool]
) -> list[list[int]]:
    """Groups of rows that are linked by pairs with a cosine of at least `threshold`, the largest group first.

    `vectors` is float32 (n, dim), each row of length one. Every pair is compared, in tiles. Most are ruled out by a
    rotation cut off after SHORT numbers, which never takes two rows further apart than they are; those that are left
    are compared with all their numbers, so nothing is missed. `progress` gets the part that is done, from 0 to 1, and
    where `stop` says so the groups found so far are returned.
    """
    groups = Groups(len(vectors))
    left, right = _short(vectors)
    bound = threshold - 1 - SLACK
    starts = range(0, len(vectors), TILE)
    tiles, done = len(starts) * (len(starts) + 1) // 2, 0
    for top in starts:
        for start in starts:
            if start < top:
                continue
            if stop():
                return groups.found()
            above = left[top : top + TILE] @ right[start : start + TILE].T >= bound
            _link(groups, vectors, above, top, start, threshold)
            done += 1
            progress(done / tiles)
    return groups.found()


def _link(groups: Groups, vectors: Vectors, above: NDArray[np.bool_], top: int, start: int, threshold: float) -> None:
    """Link the rows of a tile's candidates that really are near."""
    if top == start:
        above = np.triu(above, 1)
    sure = np.count_nonzero(above) > MANY
    if sure:
        above &= vectors[top : top + TILE] @ vectors[start : start + TILE].T >= threshold - EQUAL
    rows, columns = np.divmod(np.flatnonzero(above), above.shape[1])
    rows += top
    columns += start
    for begin in range(0, len(rows), TILE):
        some, others = rows[begin : begin + TILE], columns[begin : begin + TILE]
        # What is in one group already need not be compared: a group of a thousand copies is half a million pairs.
        new = groups.label[some] != groups.label[others]
        some, others = some[new], others[new]
        if not sure:
            near = np.einsum("ij,ij->i", vectors[some], vectors[others]) >= threshold - EQUAL
            some, others = some[near], others[near]
        for one, other in zip(some.tolist(), others.tolist(), strict=True):
            groups.link(one, other)


def _short(vectors: Vectors) -> tuple[Vectors, Vectors]:
    """Two matrices whose product holds, for each pair, minus half the squared distance of their shortened rows.

    For rows of length one, minus half the squared distance is the cosine minus one.
    """
    sample = vectors[:: max(1, len(vectors) // SAMPLE)]
    middle = sample.mean(axis=0, dtype=np.float32) if len(sample) else np.zeros(vectors.shape[1], np.float32)
    centred = sample - middle
    # The directions in which the rows differ most, orthonormal: distances along them never exceed the whole.
    _, directions = np.linalg.eigh(centred.T @ centred)
    axes = np.ascontiguousarray(directions[:, ::-1][:, :SHORT])
    short = np.empty((len(vectors), axes.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), TILE):
        short[start : start + TILE] = (vectors[start : start + TILE] - middle) @ axes
    half = 0.5 * np.einsum("ij,ij->i", short, short)[:, None]
    ones = np.ones_like(half)
    return np.hstack([short, -half, ones]), np.hstack([short, ones, -half])
