"""How near the results of a precision are to those of float32, and how near they must be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Of centred embeddings; the same bounds as for decoding in a reduced size (benchmarks/fidelity.py).
MEDIAN, WORST = 0.99, 0.98
# The share of captions that must be the same, word for word.
SAME_CAPTIONS = 0.99


@dataclass(frozen=True)
class Fidelity:
    """The cosines of centred embeddings, or the share of captions with the same words."""

    median: float | None = None
    worst: float | None = None
    same: float | None = None

    def __str__(self) -> str:
        """The worst cosine or the share of the same captions, in a word or two; empty where nothing was compared."""
        if self.same is not None:
            return f"{self.same:.0%} same"
        return "" if self.worst is None else f"cosine {self.worst:.4f}"

    @property
    def fault(self) -> str:
        """Why this is not near enough, for a person; empty if it is."""
        # Written so that a number that is not finite is a fault.
        if self.same is not None and not self.same >= SAME_CAPTIONS:
            return f"{self.same:.0%} of the captions are the same"
        if self.median is not None and not self.median >= MEDIAN:
            return f"a median cosine of {self.median:.3f}"
        if self.worst is not None and not self.worst >= WORST:
            return f"a worst cosine of {self.worst:.3f}"
        return ""


def of_embeddings(right: NDArray[np.float32], found: NDArray[np.float32]) -> Fidelity:
    """Of embeddings (n, dim), each row of length one, against those of float32.

    The mean of the right ones is taken away from both: what all pictures have in common would hide any difference.
    """
    mean = right.mean(axis=0)
    first, second = right - mean, found - mean
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return Fidelity(float(np.median(cosines)), float(cosines.min()))


def of_captions(right: Sequence[str], found: Sequence[str]) -> Fidelity:
    """Of captions against those of float32."""
    return Fidelity(same=sum(one == other for one, other in zip(right, found, strict=True)) / len(right))
