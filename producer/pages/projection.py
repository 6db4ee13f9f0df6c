"""Embeddings laid out on a plane, pictures that look alike close together, in clusters with a label each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from producer.collection.stats import count_words

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

WORDS = 3
# A word that fewer of the cluster's captions use says little about it.
LEAST_SHARE = 0.2


def cluster_labels(captions: Sequence[str], clusters: Sequence[int]) -> list[str]:
    """A label for each cluster, numbered from 0: the words that its captions use much more often than all do.

    Empty for a cluster whose captions say nothing of their own, or that has none.
    """
    count = max(clusters, default=-1) + 1
    words: list[Counter[str]] = [Counter() for _ in range(count)]
    sizes = [0] * count
    for caption, cluster in zip(captions, clusters, strict=True):
        if caption:
            words[cluster].update(count_words([caption]))
            sizes[cluster] += 1
    overall: Counter[str] = Counter()
    for each in words:
        overall.update(each)
    return [_label(each, size, overall, sum(sizes)) for each, size in zip(words, sizes, strict=True)]


def _label(words: Counter[str], size: int, overall: Counter[str], captions: int) -> str:
    def weight(word: str) -> float:
        # How much more often than everywhere, for words that are also frequent here.
        share = words[word] / size
        return share * (share / (overall[word] / captions))

    candidates = [word for word, count in words.items() if count >= LEAST_SHARE * size]
    if size < captions:
        candidates = [word for word in candidates if words[word] / size > 1.2 * overall[word] / captions]
    return ", ".join(sorted(candidates, key=lambda word: (-weight(word), word))[:WORDS])


COMPONENTS = 50
# t-SNE takes seconds for so many points and minutes for ten times as many; the others find their place among these.
LANDMARKS = 1500
NEIGHBOURS = 5
ITERATIONS = 400
CHUNK = 4096
# Of fewer pictures none is like another; they lie side by side.
FEW = 4
SEED = 0


@dataclass(frozen=True)
class Layout:
    """`places` float32 (n, 2), each axis from 0 to 1; `clusters` int (n,), numbered from 0, the largest first."""

    places: NDArray[np.float32]
    clusters: NDArray[np.int64]


class Reduction:
    """Keeps the principal components of vectors that come page by page: a tenth of the numbers of a CLIP embedding.

    The components are those of the first 20 x LANDMARKS vectors, whose order is random, so that these stand for all.
    """

    def __init__(self) -> None:
        self._waiting: list[NDArray[np.float32]] = []
        self._reduced: list[NDArray[np.float32]] = []
        self._pca: PCA | None = None

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Take more vectors, L2-normalised float32 (n, dim)."""
        self._waiting.append(vectors)
        if self._pca is not None or sum(map(len, self._waiting)) >= 20 * LANDMARKS:
            self._reduce()

    def rows(self) -> NDArray[np.float32]:
        """What is kept of all vectors, float32 (n, at most COMPONENTS), in their order."""
        if self._waiting:
            self._reduce()
        return np.concatenate(self._reduced)

    def _reduce(self) -> None:
        from sklearn.decomposition import PCA

        vectors = np.concatenate(self._waiting)
        self._waiting.clear()
        if self._pca is None and len(vectors) < FEW:
            self._reduced.append(vectors)
            return
        if self._pca is None:
            first = vectors[: 20 * LANDMARKS]
            self._pca = PCA(min(COMPONENTS, *first.shape), random_state=SEED).fit(first)
        self._reduced.append(self._pca.transform(vectors).astype(np.float32))


def lay_out(reduced: NDArray[np.float32]) -> Layout:
    """Lay out the rows of a Reduction, whose order is random: the first ones stand for all.

    The first LANDMARKS are placed by t-SNE, every other one at the mean of its nearest landmarks, weighted by likeness.
    The same vectors give the same layout.
    """
    from threadpoolctl import threadpool_limits

    # Threads of these libraries spin while they wait for each other, thousands of times in a layout: beside other work
    # two of them took six times the processor time of one, and five times as long.
    with threadpool_limits(1):
        return _lay_out(reduced)


def _lay_out(reduced: NDArray[np.float32]) -> Layout:
    from sklearn.cluster import MiniBatchKMeans

    count = len(reduced)
    if count < FEW:
        places = np.linspace(0.1, 0.9, count, dtype=np.float32)
        return Layout(np.stack([places, np.full(count, 0.5, np.float32)], axis=1), np.zeros(count, np.int64))
    landmarks = _landmarks(reduced[:LANDMARKS])
    places = np.concatenate([landmarks, _among(landmarks, reduced[:LANDMARKS], reduced[LANDMARKS:])])
    low, high = places.min(axis=0), places.max(axis=0)
    k = int(np.clip(np.sqrt(count / 8), 2, 24))
    clusters = MiniBatchKMeans(k, random_state=SEED, n_init=3).fit_predict(reduced)
    order = np.argsort(-np.bincount(clusters, minlength=k), kind="stable")
    return Layout(
        ((places - low) / np.maximum(high - low, 1e-9)).astype(np.float32), np.argsort(order)[clusters].astype(np.int64)
    )


def _landmarks(reduced: NDArray[np.float32]) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    # About how many pictures belong together: few of a small collection, but never as many as there are.
    perplexity = min(30.0, max(3.0, len(reduced) / 15), (len(reduced) - 1) / 3)
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-9) * 1e-4
    return np.asarray(
        TSNE(perplexity=perplexity, init=start, max_iter=ITERATIONS, random_state=SEED).fit_transform(reduced),
        np.float32,
    )


def _among(
    places: NDArray[np.float32], landmarks: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The places of points among the landmarks that are nearest to them, moved a little so that none hides another."""
    positions = np.empty((len(others), 2), np.float32)
    spread = np.random.default_rng(SEED).normal(0, 0.004 * float(np.ptp(places)), positions.shape)
    squares = np.sum(landmarks**2, axis=1)
    for start in range(0, len(others), CHUNK):
        rows = others[start : start + CHUNK]
        distances = squares - 2 * rows @ landmarks.T + np.sum(rows**2, axis=1)[:, None]
        nearest = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        near = np.maximum(np.take_along_axis(distances, nearest, axis=1), 1e-6)
        # The nearest one counts most: between two groups lies nothing.
        weights = (near.min(axis=1, keepdims=True) / near) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        positions[start : start + CHUNK] = np.einsum("nk,nkd->nd", weights, places[nearest])
    return (positions + spread).astype(np.float32)
