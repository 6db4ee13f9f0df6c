"""The words of points as a server keeps them: a sparse vector beside the embedding."""

from collections.abc import Callable, Sequence
from typing import Any

from qdrant_client import QdrantClient, models

from settings.errors import ServiceMissing
from workers.storage.catalog import Hit, Point
from workers.storage.ranking.bm25 import SPARSE, TEXT_FIELDS, Terms, terms_of_payload
from workers.storage.server.errors import Refused

WORDS_A_STEP = 256
Call = Callable[[Callable[[QdrantClient], Any]], Any]


class ServerWords:
    """The sparse vectors of the collection `name`; `call` makes each request and translates its errors.

    New collections have them from the start. An older one gets them where the server can add them, which Qdrant does
    from 1.18 on; where it cannot, everything goes on without them, and only a search by words says so.
    """

    def __init__(self, name: str, call: Call) -> None:
        self._name = name
        self._call = call
        self.forget()

    def forget(self) -> None:
        """Look anew at the collection next time."""
        self._has_vector: bool | None = None
        self._are_complete = False
        self._after: Any = None

    def add_vector(self) -> None:
        """Let the collection have words, where the server can."""
        if self._exists():
            return
        config = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(modifier=models.Modifier.IDF))
        try:
            self._call(lambda client: client.create_vector_name(self._name, SPARSE, config))
        except (Refused, ServiceMissing):
            self._has_vector = False
        else:
            self._has_vector = True

    def vectors(self, points: Sequence[Point]) -> list[list[float]] | dict[str, list[Any]]:
        """The vectors of these points, as a batch takes them."""
        embeddings = [point.vector.tolist() for point in points]
        if not self._exists():
            return embeddings
        return {"": embeddings, SPARSE: [_sparse(terms_of_payload(point.payload)) for point in points]}

    def search(self, terms: Terms, limit: int, condition: models.Filter | None) -> list[Hit]:
        """See Catalog.search_words; raises ServiceMissing where the server cannot keep words."""
        self.add_vector()
        if not self._has_vector:
            raise ServiceMissing(
                f"The collection {self._name!r} has no words to search by, and this Qdrant server cannot add them: use "
                "Qdrant 1.18 or newer, or rank by meaning."
            )
        if not terms.indices:
            return []
        while self.add_late():
            pass
        answer = self._call(
            lambda client: client.query_points(
                self._name, _sparse(terms), using=SPARSE, query_filter=condition, limit=limit, with_payload=False
            )
        )
        return [Hit(str(point.id), point.score, {}) for point in answer.points]

    def add_late(self) -> bool:
        """Add the words of the next points that lack them; False once none does."""
        if self._are_complete or not self._exists():
            return False
        missing = models.Filter(must_not=[models.HasVectorCondition(has_vector=SPARSE)])
        if self._after is None and not self._call(lambda client: client.count(self._name, missing)).count:
            self._are_complete = True
            return False
        records, self._after = self._call(
            lambda client: client.scroll(
                self._name, missing, limit=WORDS_A_STEP, offset=self._after, with_payload=list(TEXT_FIELDS)
            )
        )
        vectors = [
            models.PointVectors(id=record.id, vector={SPARSE: _sparse(terms_of_payload(record.payload or {}))})
            for record in records
        ]
        if vectors:
            self._call(lambda client: client.update_vectors(self._name, vectors))
        self._are_complete = self._after is None
        return not self._are_complete

    def _exists(self) -> bool:
        if self._has_vector is None:
            params = self._call(lambda client: client.get_collection(self._name)).config.params
            if not (params.sparse_vectors and SPARSE in params.sparse_vectors):
                return False
            self._has_vector = True
        return self._has_vector


def _sparse(terms: Terms) -> models.SparseVector:
    return models.SparseVector(indices=terms.indices, values=terms.values)
