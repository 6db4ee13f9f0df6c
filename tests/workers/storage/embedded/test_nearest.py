"""A search among many points compares their short copies first, and finds what comparing all in full would find."""

from pathlib import Path

import numpy as np
import pytest

from pictures.uris import point_id
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.embedded.nearest import COMPARED_IN_FULL

COUNT, DIM, BATCH = COMPARED_IN_FULL + 1000, 256, 500
EVEN = {"all": [{"field": "format", "is": "PNG"}]}
IDS = [point_id(f"file:///{number}.jpg") for number in range(COUNT)]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rows = np.random.default_rng(5).standard_normal((COUNT, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("many")
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, "clip")
    for start in range(0, COUNT, BATCH):
        numbers = range(start, min(start + BATCH, COUNT))
        catalog.upsert(
            [Point(IDS[n], vectors[n], {"uri": f"file:///{n}.jpg", "format": ("PNG", "JPEG")[n % 2]}) for n in numbers]
        )
    catalog.close()
    return folder


def compared_all(vectors: np.ndarray, query: np.ndarray, numbers: np.ndarray) -> "list[tuple[str, float]]":
    cosines = vectors[numbers] @ query
    order = np.argsort(-cosines)[:20]
    return [(IDS[numbers[place]], float(cosines[place])) for place in order]


@pytest.mark.parametrize("where", [None, EVEN], ids=["all", "a filter"])
def test_the_nearest_of_many_are_those_of_brute_force_with_their_full_cosines(
    folder: Path, vectors: np.ndarray, where: "dict[str, object] | None"
) -> None:
    catalog = EdgeCatalog(folder, "pictures")
    try:
        numbers = np.arange(0, COUNT, 2 if where else 1)
        queries = np.random.default_rng(6).standard_normal((25, DIM)).astype(np.float32)
        for query in queries / np.linalg.norm(queries, axis=1, keepdims=True):
            expected = compared_all(vectors, query, numbers)
            hits = catalog.search(query, 10, where) + catalog.search(query, 10, where, offset=10)
            assert [hit.id for hit in hits] == [id_ for id_, _ in expected]
            assert [hit.score for hit in hits] == pytest.approx([cosine for _, cosine in expected], abs=1e-6)
    finally:
        catalog.close()
