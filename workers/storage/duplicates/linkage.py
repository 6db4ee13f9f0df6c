"""Divides pictures that hang together by chains of pairs into groups in which all, or on average all, are alike."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workers.storage.duplicates.near import TOLERANCE, Vectors

# single: whatever hangs together; complete: no pair is below the threshold; average: the mean over the pairs of two
# groups that are joined is not below it.
Linkage = Literal["single", "complete", "average"]
LINKAGES: tuple[Linkage, ...] = ("complete", "average", "single")
# The distances of so many pictures are 150 MB and take seconds. A larger chain is divided by `_greedy`.
MOST_MEMBERS = 6000


def divided(vectors: Vectors, members: list[int], threshold: float, by: Linkage) -> list[list[int]]:
    """The groups of two or more among rows that hang together by cosines of at least `threshold`, largest first.

    `vectors` is float32 (n, dim), each row of length one. By complete and average linkage as scipy has them (Müllner
    2011); where there are more than MOST_MEMBERS, by a greedy form of complete linkage.
    """
    if by == "single" or len(members) == 2:
        return [members]
    # Imported here, because it takes a second that no other question should wait for.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    own = vectors[members]
    if len(members) > MOST_MEMBERS:
        labels = _greedy(own, threshold)
    else:
        distances = 1.0 - np.clip(own.astype(np.float64) @ own.T.astype(np.float64), -1.0, 1.0)
        distances = (distances + distances.T) / 2
        np.fill_diagonal(distances, 0.0)
        labels = fcluster(linkage(squareform(distances, checks=False), by), 1.0 - threshold + TOLERANCE, "distance")
    groups: dict[int, list[int]] = {}
    for member, label in zip(members, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(member)
    found = [sorted(group) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: (-len(group), group[0]))


def _greedy(own: Vectors, threshold: float) -> NDArray[np.int64]:
    """A label for each row: the first free row takes the free rows that are like it and like all it has taken."""
    labels = np.full(len(own), -1, dtype=np.int64)
    # The rows that may be free, and their numbers: made smaller when many of them are taken, for copying them costs.
    rest, numbers = own, np.arange(len(own))
    for first in range(len(own)):
        if labels[first] >= 0:
            continue
        is_free = labels[numbers] < 0
        if 2 * np.count_nonzero(is_free) < len(numbers):
            rest, numbers = rest[is_free], numbers[is_free]
            is_free = np.ones(len(numbers), dtype=bool)
        cosines = rest @ own[first]
        places = np.flatnonzero(is_free & (cosines >= threshold - TOLERANCE))
        places = places[np.argsort(-cosines[places], kind="stable")]
        candidates, near = numbers[places], rest[places]
        taken, is_near = [first], candidates != first
        while is_near.any():
            place = int(np.argmax(is_near))  # the most alike one of those that are left
            taken.append(int(candidates[place]))
            is_near &= near @ near[place] >= threshold - TOLERANCE
            is_near[place] = False
        labels[taken] = first
    return labels
