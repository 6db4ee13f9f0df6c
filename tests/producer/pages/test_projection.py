"""The layout of embeddings on a plane."""

import numpy as np
import pytest
from numpy.typing import NDArray

import producer.pages.projection
from producer.pages.projection import Layout, Reduction


def groups(count: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors (count, 32) around four directions, and which of them each belongs to."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, 32))
    own = rng.integers(0, 4, count)
    vectors = centres[own] + 0.3 * rng.normal(size=(count, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), own


def lay_out(vectors: NDArray[np.float32], pages: int = 1) -> Layout:
    """The layout of vectors that come in so many pages."""
    reduction = Reduction()
    for page in np.array_split(vectors, pages):
        reduction.add(page)
    return producer.pages.projection.lay_out(reduction.rows())


def nearest_share(places: NDArray[np.float32], own: NDArray[np.int64]) -> float:
    """How many points have a nearest neighbour of their own group."""
    distances = np.sum((places[:, None] - places[None]) ** 2, axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(own[distances.argmin(axis=1)] == own))


def test_what_is_alike_lies_close_together_also_what_is_placed_among_the_landmarks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producer.pages.projection, "LANDMARKS", 60)
    monkeypatch.setattr(producer.pages.projection, "ITERATIONS", 250)
    vectors, own = groups(200)
    layout = lay_out(vectors)
    assert (layout.places.shape, layout.clusters.shape) == ((200, 2), (200,))
    assert layout.places.dtype == np.float32
    assert (layout.places.min(), layout.places.max()) == (0.0, 1.0)
    assert nearest_share(layout.places, own) > 0.97
    sizes = np.bincount(layout.clusters)
    assert list(sizes) == sorted(sizes, reverse=True)
    again = lay_out(vectors)
    np.testing.assert_array_equal(layout.places, again.places)
    np.testing.assert_array_equal(layout.clusters, again.clusters)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_small_collections_have_a_layout_too(count: int) -> None:
    layout = lay_out(groups(count)[0])
    assert layout.places.shape == (count, 2)
    assert np.isfinite(layout.places).all()
    assert layout.clusters.min() == 0


def test_copies_of_one_picture_have_a_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.pages.projection, "LANDMARKS", 20)
    layout = lay_out(np.repeat(groups(1)[0], 30, axis=0))
    assert np.isfinite(layout.places).all()


def test_a_layout_is_the_same_whether_the_vectors_come_at_once_or_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.pages.projection, "LANDMARKS", 20)  # so that components are those of the first 400
    vectors, _ = groups(1000)
    at_once, paged = lay_out(vectors), lay_out(vectors, pages=13)
    assert np.abs(at_once.places[:20] - paged.places[:20]).max() < 0.05
    np.testing.assert_array_equal(at_once.clusters, paged.clusters)
