"""Groups that grow together: which of n things are linked, directly or through others."""

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
