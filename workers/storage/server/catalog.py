"""The catalog on a Qdrant server, through its client."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from settings.errors import DarkroomError, WrongUse
from workers.storage.catalog import CollectionInfo, Hit, Point
from workers.storage.server.connection import call
from workers.storage.server.filter import server_filter
from workers.storage.server.layout import Layout, add_indexes
from workers.storage.validation import (
    validate_facet_field,
    validate_ids,
    validate_model,
    validate_points,
    validate_vector,
)
from workers.storage.where import Is, Where, expand_patterns, parse_where

T = TypeVar("T")
# The info is read again after this time: another storage worker may replace the collection by one for another model.
INFO_CACHE_SECONDS = 5.0


class ServerCatalog:
    """The collection `name` on the server that `client` is connected to; errors name the server by `url`."""

    def __init__(self, client: QdrantClient, name: str, url: str, layout: Layout | None = None) -> None:
        self._client = client
        self._name = name
        self._url = url
        self._layout = layout or Layout()
        # When it was read, and the info.
        self._cached_info: tuple[float, CollectionInfo] | None = None
        self._has_indexes = False

    def ensure(self, dim: int, clip_model: str) -> None:
        """See Catalog."""
        if self._collection_info() is None:
            self._create(dim, clip_model)
        info = self._collection_info()
        if info is None:
            raise DarkroomError(f"The collection {self._name!r} vanished while it was being made.")
        validate_model(self._name, info, dim, clip_model)
        if not self._has_indexes:
            add_indexes(self._client, self._name, self._call)
            self._has_indexes = True

    def clip_model(self) -> str | None:
        """See Catalog."""
        info = self._collection_info()
        return info.clip_model if info else None

    def check_model(self, clip_model: str) -> None:
        """See Catalog."""
        info = self._collection_info()
        if info:
            validate_model(self._name, info, None, clip_model)

    def upsert(self, points: Sequence[Point]) -> None:
        """See Catalog."""
        info = self._collection_info()
        if info is None:
            raise DarkroomError("The catalog has no collection: ensure() was not called.")
        validate_points(points, info.dim)
        if points:
            batch = models.Batch(
                ids=[point.id for point in points],
                vectors=[point.vector.tolist() for point in points],
                payloads=[point.payload for point in points],
            )
            self._call(lambda: self._client.upsert(self._name, batch, wait=True))

    def payloads(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See Catalog."""
        validate_ids(ids)
        if self._collection_info() is None:
            return {}
        records = self._call(lambda: self._client.retrieve(self._name, list(ids), list(fields) or False, False))
        return {str(record.id): record.payload or {} for record in records}

    def by_content(self, sha256s: Sequence[str], clip_model: str, preprocessing: str) -> dict[str, Point]:
        """See Catalog."""
        contents = list(dict.fromkeys(sha256s))
        if self._collection_info() is None or not contents:
            return {}
        same_model = [Is("clip_model", clip_model), Is("preprocessing", preprocessing)]
        # One request for each sha256: a single one for all could return only copies of one picture.
        requests = [
            models.QueryRequest(
                filter=server_filter(Where([Is("sha256", sha256), *same_model], [], [])),
                limit=1,
                with_payload=True,
                with_vector=True,
            )
            for sha256 in contents
        ]
        answers = self._call(lambda: self._client.query_batch_points(self._name, requests))
        return {sha256: _point(answer.points[0]) for sha256, answer in zip(contents, answers) if answer.points}

    def search(self, vector: NDArray[np.float32], limit: int, where: dict[str, Any] | None = None) -> list[Hit]:
        """See Catalog."""
        condition = self._filter(where)
        info = self._collection_info()
        if info is None:
            return []
        validate_vector(vector, info.dim, "The query")
        answer = self._call(
            lambda: self._client.query_points(
                self._name,
                vector.tolist(),
                query_filter=condition,
                limit=limit,
                search_params=self._layout.search_params(),
            )
        )
        return [Hit(str(point.id), point.score, point.payload or {}) for point in answer.points]

    def scroll(
        self, where: dict[str, Any] | None, limit: int, after: str | None = None, with_vectors: bool = False
    ) -> tuple[list[Point], str | None]:
        """See Catalog."""
        validate_ids([after] if after else [])
        condition = self._filter(where)
        if self._collection_info() is None:
            return [], None
        records, next_id = self._call(
            lambda: self._client.scroll(
                self._name, condition, limit=limit, offset=after, with_payload=True, with_vectors=with_vectors
            )
        )
        return [_point(record) for record in records], None if next_id is None else str(next_id)

    def facet(self, field: str, where: dict[str, Any] | None = None, limit: int = 10) -> dict[str | int | bool, int]:
        """See Catalog."""
        validate_facet_field(field)
        condition = self._filter(where)
        if self._collection_info() is None:
            return {}
        answer = self._call(lambda: self._client.facet(self._name, field, condition, limit=limit, exact=True))
        return {hit.value: hit.count for hit in answer.hits if hit.count}

    def delete(self, ids: Sequence[str]) -> None:
        """See Catalog."""
        validate_ids(ids)
        if ids and self._collection_info():
            self._call(lambda: self._client.delete(self._name, models.PointIdsList(points=list(ids)), wait=True))

    def count(self, where: dict[str, Any] | None = None) -> int:
        """See Catalog."""
        condition = self._filter(where)
        if self._collection_info() is None:
            return 0
        return self._call(lambda: self._client.count(self._name, condition, exact=True)).count

    def drop(self) -> None:
        """See Catalog."""
        if self._collection_info():
            self._call(lambda: self._client.delete_collection(self._name))
        self._cached_info, self._has_indexes = None, False

    def maintain(self) -> None:
        """See Catalog. A server does its own maintenance."""

    def close(self) -> None:
        """See Catalog."""
        self._client.close()

    def _filter(self, where: dict[str, Any] | None) -> models.Filter | None:
        return server_filter(expand_patterns(parse_where(where), lambda field, limit: self.facet(field, limit=limit)))

    def _call(self, request: Callable[[], T]) -> T:
        return call(self._url, request)

    def _collection_info(self) -> CollectionInfo | None:
        """The info of the collection, None before it exists; it is cached once its model is known."""
        cached = self._cached_info
        if cached and time.monotonic() - cached[0] < INFO_CACHE_SECONDS:
            return cached[1]
        if not self._call(lambda: self._client.collection_exists(self._name)):
            return None
        config = self._call(lambda: self._client.get_collection(self._name)).config
        vectors = config.params.vectors
        if not isinstance(vectors, models.VectorParams):
            raise WrongUse(
                f"The collection {self._name!r} is not one of Darkroom's: set qdrant.collection to another name."
            )
        info = CollectionInfo(vectors.size, (config.metadata or {}).get("clip_model") or self._model_of_a_point())
        self._cached_info = (time.monotonic(), info) if info.clip_model else None
        return info

    def _model_of_a_point(self) -> str | None:
        # Servers before 1.16 keep no metadata for a collection, but every point names its model.
        records, _ = self._call(lambda: self._client.scroll(self._name, limit=1, with_payload=["clip_model"]))
        model = (records[0].payload or {}).get("clip_model") if records else None
        return None if model is None else str(model)

    def _create(self, dim: int, clip_model: str) -> None:
        try:
            options = self._layout.create_options(dim, clip_model)
            self._call(partial(self._client.create_collection, self._name, **options))
        except DarkroomError:
            # Another storage worker may have created it meanwhile.
            if self._collection_info() is None:
                raise


def _point(record: models.Record | models.ScoredPoint) -> Point:
    return Point(str(record.id), np.asarray(record.vector or (), dtype=np.float32), record.payload or {})
