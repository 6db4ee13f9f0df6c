"""Near duplicates found by tiles and short vectors equal those that comparing everything with everything finds."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.storage.duplicates.near import TILE, TOLERANCE, Groups, Vectors, near_groups


def normalised(rows: Vectors) -> Vectors:
    return rows / np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]


def cone(count: int, dim: int, seed: int) -> Vectors:
    """Directions that lie close together and in clusters, like the embeddings of one photographer's pictures."""
    rng = np.random.default_rng(seed)
    clusters = rng.standard_normal((50, dim)) * rng.exponential(1, dim)
    rows = rng.standard_normal(dim) + clusters[rng.integers(0, 50, count)] / 2 + rng.standard_normal((count, dim))
    return normalised(rows.astype(np.float32))


def sphere(count: int, dim: int, seed: int) -> Vectors:
    """Directions that have nothing in common."""
    return normalised(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def plant(vectors: Vectors, pairs: int, noise: float, seed: int) -> None:
    """Turn some rows into noisy copies of others; a copy of a copy may make a chain."""
    rng = np.random.default_rng(seed)
    dim = vectors.shape[1]
    for one, other in rng.integers(0, len(vectors), (pairs, 2)):
        vectors[one] = vectors[other] + noise / np.sqrt(dim) * rng.standard_normal(dim)
    vectors[:] = normalised(vectors)


def compared_all(vectors: Vectors, threshold: float) -> list[list[int]]:
    """The groups by brute force: every cosine."""
    groups = Groups(len(vectors))
    for start in range(0, len(vectors), 1000):
        near = vectors[start : start + 1000] @ vectors[start:].T >= threshold - TOLERANCE
        for row, column in np.argwhere(np.triu(near, 1)).tolist():
            groups.link(start + row, start + column)
    return groups.as_lists()


def found(vectors: Vectors, threshold: float) -> list[list[int]]:
    return near_groups(vectors, threshold, lambda part: None, lambda: False)


@pytest.mark.parametrize("make", [cone, sphere])
@pytest.mark.parametrize("threshold", [0.8, 0.95, 1.0])
def test_groups_equal_those_of_brute_force(make: Callable[[int, int, int], Vectors], threshold: float) -> None:
    # Two tiles and a bit, so that pairs lie within a tile, between tiles and in the narrow last one.
    vectors = make(2 * TILE + 77, 80, 1)
    plant(vectors, 300, 0.3, 2)
    plant(vectors, 50, 0.0, 3)
    groups = found(vectors, threshold)
    assert groups
    assert groups == compared_all(vectors, threshold)


def test_of_twenty_thousand_points_every_planted_pair_above_the_threshold_is_found() -> None:
    vectors = cone(20_000, 80, 5)
    plant(vectors, 1000, 0.3, 6)
    expected, groups = compared_all(vectors, 0.95), found(vectors, 0.95)
    assert sum(len(group) - 1 for group in expected) > 500
    assert groups == expected


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 40), dim=st.integers(1, 80), seed=st.integers(0, 999), threshold=st.floats(0.1, 1.0))
def test_few_points_of_any_dimension_are_grouped_right(count: int, dim: int, seed: int, threshold: float) -> None:
    vectors = sphere(count, dim, seed)
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    if np.abs(exact - threshold + TOLERANCE).min(initial=1) > 1e-5:
        assert found(vectors, threshold) == compared_all(vectors, threshold)


def test_a_chain_is_one_group_and_a_thousand_copies_are_one() -> None:
    angles = np.radians([0, 10, 20, 90, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert found(vectors, float(np.cos(np.radians(11)))) == [[0, 1, 2]]
    assert found(np.repeat(vectors[:1], 1000, axis=0), 1.0) == [list(range(1000))]


def test_progress_goes_to_the_end_and_a_stop_is_obeyed() -> None:
    vectors, parts = cone(TILE + 1, 8, 9), list[float]()
    near_groups(vectors, 0.99, parts.append, lambda: False)
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert near_groups(np.repeat(vectors[:1], 5, axis=0), 0.5, parts.append, lambda: True) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_groups_are_the_connected_parts(pairs: list[tuple[int, int]]) -> None:
    groups = Groups(31)
    parts = [{number} for number in range(31)]
    for one, other in pairs:
        groups.link(one, other)
        joined = next(part for part in parts if one in part) | next(part for part in parts if other in part)
        parts = [part for part in parts if not part & joined] + [joined]
    expected = sorted((sorted(part) for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))
    assert groups.as_lists() == expected
