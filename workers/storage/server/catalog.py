"""The catalog on a Qdrant server, through its client."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from settings.errors import DarkroomError, WrongUse
from workers.storage import checks
from workers.storage.catalog import Hit, Point
from workers.storage.server.connection import call
from workers.storage.server.filter import server_filter
from workers.storage.server.layout import Layout, add_indexes
from workers.storage.where import Is, Where, parse_where, spelled_out

T = TypeVar("T")
SEEN_SECONDS = 5.0  # another storage worker may have made the collection anew for another model


class ServerCatalog:
    """The collection `name` on the server that `client` is connected to; `url` is how messages name it."""

    def __init__(self, client: QdrantClient, name: str, url: str, layout: Layout | None = None) -> None:
        self._client = client
        self._name = name
        self._url = url
        self._layout = layout or Layout()
        self._seen: tuple[float, tuple[int, str | None]] | None = None
        self._indexed = False

    def ensure(self, dim: int, clip_model: str) -> None:
        """See Catalog."""
        if self._held() is None:
            self._create(dim, clip_model)
        held = self._held()
        if held is None:
            raise DarkroomError(f"The collection {self._name!r} vanished while it was being made.")
        checks.require_model(self._name, held, dim, clip_model)
        if not self._indexed:
            add_indexes(self._client, self._name, self._ask)
            self._indexed = True

    def clip_model(self) -> str | None:
        """See Catalog."""
        held = self._held()
        return held[1] if held else None

    def check_model(self, clip_model: str) -> None:
        """See Catalog."""
        held = self._held()
        if held:
            checks.require_model(self._name, held, None, clip_model)

    def upsert(self, points: Sequence[Point]) -> None:
        """See Catalog."""
        held = self._held()
        if held is None:
            raise DarkroomError("The catalog has no collection: ensure() was not called.")
        checks.points(points, held[0])
        if points:
            batch = models.Batch(
                ids=[point.id for point in points],
                vectors=[point.vector.tolist() for point in points],
                payloads=[point.payload for point in points],
            )
            self._ask(lambda: self._client.upsert(self._name, batch, wait=True))

    def payloads(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See Catalog."""
        checks.ids(ids)
        if self._held() is None:
            return {}
        found = self._ask(lambda: self._client.retrieve(self._name, list(ids), list(fields) or False, False))
        return {str(record.id): record.payload or {} for record in found}

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """See Catalog."""
        wanted = list(dict.fromkeys(sha256s))
        if self._held() is None or not wanted:
            return {}
        made_by = [Is("clip_model", clip_model), Is("preprocessing", preprocessing)]
        # One request for each sha256: in a single one for all, many copies of one picture would push out the others.
        requests = [
            models.QueryRequest(
                filter=server_filter(Where([Is("sha256", sha256), *made_by], [], [])),
                limit=1,
                with_payload=True,
                with_vector=True,
            )
            for sha256 in wanted
        ]
        answers = self._ask(lambda: self._client.query_batch_points(self._name, requests))
        return {sha256: _point(found.points[0]) for sha256, found in zip(wanted, answers) if found.points}

    def search(self, vector: NDArray[np.float32], limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        held = self._held()
        if held is None:
            return []
        checks.vector(vector, held[0], "The query")
        ask = partial(self._client.query_points, self._name, vector.tolist(), query_filter=condition, limit=limit)
        found = self._ask(partial(ask, search_params=self._layout.of_search()))
        return [Hit(str(point.id), point.score, point.payload or {}) for point in found.points]

    def scroll(
        self, where: dict[str, Any] | None, limit: int, after: str | None = None, with_vectors: bool = False
    ) -> tuple[list[Point], str | None]:
        """See Catalog."""
        checks.ids([after] if after else [])
        condition = self._filter(where)
        if self._held() is None:
            return [], None
        records, following = self._ask(
            lambda: self._client.scroll(
                self._name, condition, limit=limit, offset=after, with_payload=True, with_vectors=with_vectors
            )
        )
        return [_point(record) for record in records], None if following is None else str(following)

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """See Catalog."""
        checks.facet(field)
        condition = self._filter(where)
        if self._held() is None:
            return {}
        found = self._ask(lambda: self._client.facet(self._name, field, condition, limit=limit, exact=True))
        return {hit.value: hit.count for hit in found.hits if hit.count}

    def delete(self, ids: Sequence[str]) -> None:
        """See Catalog."""
        checks.ids(ids)
        if ids and self._held():
            self._ask(lambda: self._client.delete(self._name, models.PointIdsList(points=list(ids)), wait=True))

    def count(self, where: dict[str, Any] | None = None) -> int:
        """See Catalog."""
        condition = self._filter(where)
        return self._ask(lambda: self._client.count(self._name, condition, exact=True)).count if self._held() else 0

    def drop(self) -> None:
        """See Catalog."""
        if self._held():
            self._ask(lambda: self._client.delete_collection(self._name))
        self._seen, self._indexed = None, False

    def maintain(self) -> bool:
        """See Catalog. A server looks after itself."""
        return False

    def close(self) -> None:
        """See Catalog."""
        self._client.close()

    def _filter(self, where: dict[str, Any] | None) -> models.Filter | None:
        return server_filter(spelled_out(parse_where(where), lambda field, most: self.facet(field, limit=most)))

    def _ask(self, ask: Callable[[], T]) -> T:
        return call(self._url, ask)

    def _held(self) -> tuple[int, str | None] | None:
        """Dimension and model of the collection, None while there is none; once it is there, asked now and then."""
        seen = self._seen
        if seen and time.monotonic() - seen[0] < SEEN_SECONDS:
            return seen[1]
        if not self._ask(lambda: self._client.collection_exists(self._name)):
            return None
        config = self._ask(lambda: self._client.get_collection(self._name)).config
        vectors = config.params.vectors
        if not isinstance(vectors, models.VectorParams):
            raise WrongUse(
                f"The collection {self._name!r} is not one of Darkroom's: set qdrant.collection to another name."
            )
        held = vectors.size, (config.metadata or {}).get("clip_model") or self._model_of_a_point()
        self._seen = (time.monotonic(), held) if held[1] else None
        return held

    def _model_of_a_point(self) -> str | None:
        # Servers before 1.16 do not keep the metadata of a collection, but every point names its model.
        records, _ = self._ask(lambda: self._client.scroll(self._name, limit=1, with_payload=["clip_model"]))
        model = (records[0].payload or {}).get("clip_model") if records else None
        return None if model is None else str(model)

    def _create(self, dim: int, clip_model: str) -> None:
        try:
            self._ask(partial(self._client.create_collection, self._name, **self._layout.of_new(dim, clip_model)))
        except DarkroomError:
            # Another storage worker may have made it since we looked.
            if self._held() is None:
                raise


def _point(record: models.Record | models.ScoredPoint) -> Point:
    return Point(str(record.id), np.asarray(record.vector or (), dtype=np.float32), record.payload or {})
